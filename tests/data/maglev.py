#!/usr/bin/env python3
"""The Maglev tables of penstock a second time, independent of its C++ code: XXH3-64 from its
specification, the table, the choice of a backend. The unit tests compare the tables in
maglev.golden byte for byte; the end-to-end tests ask predict() which backend an address reaches.

  python3 tests/data/maglev.py check    compares the hash with known values, and maglev.golden
                                        with what it should be
  python3 tests/data/maglev.py write    writes maglev.golden anew: a difference there is a
                                        breaking release
"""

import functools
import ipaddress
import pathlib
import struct
import sys

GOLDEN = pathlib.Path(__file__).with_name("maglev.golden")
DEFAULT_SIZE = 65537

# --- XXH3-64 with a seed. Source: xxhash_spec.md of the xxHash project, "XXH3 Algorithm". ---

MASK = (1 << 64) - 1
PRIME32_1, PRIME32_2, PRIME32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
PRIME64_1, PRIME64_2, PRIME64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
PRIME64_4, PRIME64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PRIME_MX1, PRIME_MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

SECRET = bytes.fromhex("""
  b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221
  b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8
  a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb
  170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e
  """)


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def swapped(value, size):
    return int.from_bytes(value.to_bytes(size, "little"), "big")


def rotated(value, bits):
    return (value << bits | value >> (64 - bits)) & MASK


def folded_product(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def avalanche(value):
    value ^= value >> 37
    value = value * PRIME_MX1 & MASK
    return value ^ value >> 32


def avalanche_xxh64(value):
    value ^= value >> 33
    value = value * PRIME64_2 & MASK
    value ^= value >> 29
    value = value * PRIME64_3 & MASK
    return value ^ value >> 32


def hash_to_16(data, seed):
    size = len(data)
    if size == 0:
        return avalanche_xxh64(seed ^ u64(SECRET, 56) ^ u64(SECRET, 64))
    if size <= 3:
        combined = data[size - 1] | size << 8 | data[0] << 16 | data[size >> 1] << 24
        return avalanche_xxh64(((u32(SECRET, 0) ^ u32(SECRET, 4)) + seed & MASK) ^ combined)
    if size <= 8:
        changed_seed = seed ^ swapped(seed & 0xFFFFFFFF, 4) << 32
        combined = u32(data, size - 4) | u32(data, 0) << 32
        value = ((u64(SECRET, 8) ^ u64(SECRET, 16)) - changed_seed & MASK) ^ combined
        value ^= rotated(value, 49) ^ rotated(value, 24)
        value = value * PRIME_MX2 & MASK
        value ^= (value >> 35) + size
        value = value * PRIME_MX2 & MASK
        return value ^ value >> 28
    low = ((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed & MASK) ^ u64(data, 0)
    high = ((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed & MASK) ^ u64(data, size - 8)
    return avalanche(size + swapped(low, 8) + high + folded_product(low, high) & MASK)


def hash_to_240(data, seed):
    size = len(data)

    def mixed(at, secret_at):
        low = u64(data, at) ^ (u64(SECRET, secret_at) + seed & MASK)
        high = u64(data, at + 8) ^ (u64(SECRET, secret_at + 8) - seed & MASK)
        return folded_product(low, high)

    sum_ = size * PRIME64_1
    if size <= 128:
        for i in range(((size - 1) >> 5) + 1):
            sum_ += mixed(i * 16, i * 32) + mixed(size - (i + 1) * 16, i * 32 + 16)
        return avalanche(sum_ & MASK)
    sum_ += sum(mixed(i * 16, i * 16) for i in range(8))
    sum_ = avalanche(sum_ & MASK)
    sum_ += sum(mixed(i * 16, (i - 8) * 16 + 3) for i in range(8, size >> 4))
    return avalanche(sum_ + mixed(size - 16, 136 - 17) & MASK)


def hash_long(data, seed):
    size = len(data)
    secret = b"".join(
        struct.pack("<QQ", u64(SECRET, i) + seed & MASK, u64(SECRET, i + 8) - seed & MASK)
        for i in range(0, len(SECRET), 16))
    lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]

    def accumulate(at, secret_at):
        for i in range(8):
            value = u64(data, at + i * 8)
            key = value ^ u64(secret, secret_at + i * 8)
            lanes[i ^ 1] = lanes[i ^ 1] + value & MASK
            lanes[i] = lanes[i] + (key & 0xFFFFFFFF) * (key >> 32) & MASK

    stripes_per_block = (len(secret) - 64) // 8
    full_stripes = (size - 1) // 64
    for stripe in range(full_stripes):
        in_block = stripe % stripes_per_block
        accumulate(stripe * 64, in_block * 8)
        if in_block == stripes_per_block - 1:
            for i in range(8):
                key = u64(secret, len(secret) - 64 + i * 8)
                lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ key) * PRIME32_1 & MASK
    accumulate(size - 64, len(secret) - 64 - 7)

    result = size * PRIME64_1
    for i in range(4):
        result += folded_product(lanes[2 * i] ^ u64(secret, 11 + 16 * i),
                                 lanes[2 * i + 1] ^ u64(secret, 11 + 16 * i + 8))
    return avalanche(result & MASK)


def xxh3_64(data, seed=0):
    seed &= MASK
    if len(data) <= 16:
        return hash_to_16(data, seed)
    return hash_to_240(data, seed) if len(data) <= 240 else hash_long(data, seed)


# --- The table and the choice (DESIGN section 3). ---


def key_bytes(client_ip, port=None):
    """The address bytes, then the port big-endian if asked; IPv4-mapped addresses count as IPv4."""
    address = ipaddress.ip_address(client_ip)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.packed + (b"" if port is None else struct.pack(">H", port))


class Table:
    """The table of a pool. `members` are (name, weight) pairs in any order."""

    def __init__(self, members, seed=0, size=DEFAULT_SIZE):
        members = sorted((name.encode(), weight) for name, weight in members)
        self.names = [name.decode() for name, _ in members]
        self.weights = [weight for _, weight in members]
        self.seed = seed
        self.size = size
        self.slots = self._filled(members)

    def _filled(self, members):
        slots = [None] * self.size
        at = [xxh3_64(name, self.seed) % self.size for name, _ in members]
        skip = [1 + xxh3_64(name, self.seed + 1) % (self.size - 1) for name, _ in members]
        turns = [index for index, (_, weight) in enumerate(members) for _ in range(weight)]
        taken = 0
        while True:
            for index in turns:
                while slots[at[index]] is not None:
                    at[index] = (at[index] + skip[index]) % self.size
                slots[at[index]] = index
                taken += 1
                if taken == self.size:
                    return slots

    def predict(self, client_ip, port=None, dead=()):
        """The name of the backend that a client reaches; None when all are in `dead`."""
        slot = xxh3_64(key_bytes(client_ip, port), self.seed) % self.size
        for probe in range(self.size):
            name = self.names[self.slots[(slot + probe) % self.size]]
            if name not in dead:
                return name
        return None

    def share(self, name):
        """The part of the slots, and so of the keys, that belongs to a backend."""
        return self.slots.count(self.names.index(name)) / self.size


@functools.lru_cache(maxsize=32)
def table_of(members, seed, size):
    return Table(members, seed, size)


def predict(names_with_weights, client_ip, port=None, seed=0, size=DEFAULT_SIZE):
    """Table(...).predict(...), with the tables kept; names_with_weights: (name, weight) pairs."""
    members = tuple(sorted((name, weight) for name, weight in names_with_weights))
    return table_of(members, seed, size).predict(client_ip, port)


# --- The golden file. ---

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LINE = 96

CONFIGURATIONS = [
    # (name, members in an order that is not the names', seed, size)
    ("three_equal", [("10.0.0.9:9000", 1), ("10.0.0.11:9000", 1), ("10.0.0.10:9000", 1)],
     0, DEFAULT_SIZE),
    ("weights_1_2_5", [("small", 1), ("big", 5), ("middle", 2)], 0, DEFAULT_SIZE),
    ("hundred", [(f"10.1.{i // 10}.{i % 10 + 1}:443", 1) for i in reversed(range(100))],
     0, DEFAULT_SIZE),
    ("seeded", [("a", 1), ("b", 1), ("c", 3), ("[2001:db8::1]:9000", 1)], 0x9E3779B185EBCA8D, 1009),
    ("largest_seed", [("a", 1), ("b", 1), ("unix:/run/app.sock", 1)], MASK, 1009),
    ("size_13", [("a", 1), ("bb", 1), ("ccc", 1), ("dddd", 1)], 0, 13),
    ("size_13_full", [("a", 6), ("b", 7)], 0, 13),
    ("one", [("only", 1)], 0, 251),
    # Every branch of the hash: 1 to 3 bytes, 4 to 8, to 16, to 128, to 240, beyond, beyond a block
    # of 1024; and names in UTF-8.
    ("name_lengths",
     [("x" * size, 1) for size in (1, 2, 3, 4, 8, 9, 16, 17, 32, 33, 64, 96, 128, 129, 144, 200,
                                   240, 241, 256, 400, 1024, 1025, 1100, 2048, 3000)]
     + [("müller", 1), ("Ärger", 2), ("zebra", 1)], 7, 2039),
]

CLIENTS = [
    ("10.0.0.1", None), ("127.0.0.1", None), ("127.0.0.2", None), ("127.0.0.200", None),
    ("192.0.2.255", None), ("255.255.255.255", None), ("0.0.0.0", None),
    ("::ffff:192.0.2.255", None), ("::1", None), ("2001:db8::1", None),
    ("2001:db8:1:2:3:4:5:6", None), ("ffff::ffff", None), ("10.0.0.1", 1), ("127.0.0.1", 443),
    ("127.0.0.1", 40000), ("192.0.2.255", 65535), ("::ffff:127.0.0.1", 40000), ("::1", 40000),
    ("2001:db8::1", 256), ("2001:db8::1", 65535),
]


def encoded_slots(table):
    """Each slot's owner as its place in name order, in base 36: one digit up to 36 backends, else
    two."""
    if len(table.names) <= 36:
        return "".join(DIGITS[index] for index in table.slots)
    return "".join(DIGITS[index // 36] + DIGITS[index % 36] for index in table.slots)


def golden_text():
    lines = ["# Written by maglev.py beside it, which explains it. Names have no spaces."]
    for name, members, seed, size in CONFIGURATIONS:
        table = Table(members, seed, size)
        lines += [f"table {name}", f"seed {seed}", f"size {size}"]
        lines += [f"member {weight} {member}" for member, weight in members]
        slots = encoded_slots(table)
        lines += ["slots " + slots[at:at + LINE] for at in range(0, len(slots), LINE)]
        first = table.predict(*CLIENTS[0])
        for kind, dead in (("pick", ()), (f"without {first}", {first})):
            for ip, port in CLIENTS:
                chosen = table.predict(ip, port, dead) or "-"
                lines.append(f"{kind} {ip} {'-' if port is None else port} {chosen}")
    return "\n".join(lines) + "\n"


# Known values: xxHash's own sanity check (cli/xsum_sanity_check.c), of a buffer whose bytes come
# from a generator. (size, hash with seed 0, hash with KNOWN_SEED)
KNOWN_SEED = 0x9E3779B185EBCA8D
KNOWN = [
    (0, 0x2D06800538D394C2, 0xA8A6B918B2F0364A),
    (1, 0xC44BDFF4074EECDB, 0x032BE332DD766EF8),
    (6, 0x27B56A84CD2D7325, 0x84589C116AB59AB9),
    (12, 0xA713DAF0DFBB77E7, 0xE7303E1B2336DE0E),
    (24, 0xA3FE70BF9D3510EB, 0x850E80FC35BDD690),
    (48, 0x397DA259ECBA1F11, 0xADC2CBAA44ACC616),
    (80, 0xBCDEFBBB2C47C90A, 0xC6DD0CB699532E73),
    (195, 0xCD94217EE362EC3A, 0xBA68003D370CB3D9),
    (403, 0xCDEB804D65C6DEA4, 0x6259F6ECFD6443FD),
    (512, 0x617E49599013CB6B, 0x3CE457DE14C27708),
    (2048, 0xDD59E2C3A5F038E0, 0x66F81670669ABABC),
    (2240, 0x6E73A90539CF2948, 0x757BA8487D1B5247),
    (2367, 0xCB37AEB9E5D361ED, 0xD2DB3415B942B42A),
]


def sanity_buffer(size):
    state, data = PRIME32_1, bytearray()
    for _ in range(size):
        data.append(state >> 56)
        state = state * KNOWN_SEED & MASK
    return bytes(data)


def wrong_hashes():
    buffer = sanity_buffer(KNOWN[-1][0])
    wrong = []
    for size, *expected in KNOWN:
        found = [xxh3_64(buffer[:size], seed) for seed in (0, KNOWN_SEED)]
        if found != expected:
            wrong.append(f"XXH3-64 of {size} bytes is {found}, not {expected}")
    return wrong


def main(arguments):
    if arguments not in (["check"], ["write"]):
        print(__doc__, file=sys.stderr)
        return 64
    wrong = wrong_hashes()
    if not wrong and arguments == ["write"]:
        GOLDEN.write_bytes(golden_text().encode())
    if not wrong and GOLDEN.read_bytes() != golden_text().encode():
        wrong = [f"{GOLDEN} is not what this script computes; if that is meant, run it with write"]
    print("\n".join(wrong) or f"{2 * len(KNOWN)} hashes, {len(CONFIGURATIONS)} tables are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
