"""ClientHellos made by hand, byte for byte, and what a server answers to them.

They offer TLS 1.2, whose server sends its certificate in the clear, so that the certificate that a
hello chose can be seen without finishing the handshake. RFC 5246 section 7.4.1.2, RFC 6066 section
3 (names), RFC 8446 section 4.2 (extensions).
"""
import base64
import re
import struct

HANDSHAKE = 22
SERVER_NAME, SUPPORTED_GROUPS, POINT_FORMATS, SIGNATURES = 0, 10, 11, 13
HEARTBEAT, PADDING, SESSION_TICKET = 15, 21, 35
SUPPORTED_VERSIONS, KEY_SHARE, ECH = 43, 51, 0xFE0D
SUITES = bytes.fromhex("c02bc02fcca9")  # ECDHE with AES-GCM or ChaCha20
X25519_MLKEM768 = 0x11EC  # draft-ietf-tls-ecdhe-mlkem; a share has 1216 bytes


def sized(data, width=1):
    """The data after its length in `width` bytes."""
    return len(data).to_bytes(width, "big") + data


def extension(number, body):
    return struct.pack(">H", number) + sized(body, 2)


def server_name(*names, kind=0):
    """The extension with these names (bytes), as a list of one kind."""
    return extension(
        SERVER_NAME, sized(b"".join(bytes([kind]) + sized(name, 2) for name in names), 2)
    )


def common_extensions():
    return (
        extension(SUPPORTED_GROUPS, sized(bytes.fromhex("001d0017"), 2))
        + extension(POINT_FORMATS, sized(b"\0"))
        + extension(SIGNATURES, sized(bytes.fromhex("040308040401"), 2))
    )


def message(extensions, suites=SUITES):
    """A ClientHello as a handshake message, without a record around it."""
    body = (
        b"\x03\x03"
        + bytes(range(32))
        + sized(b"")
        + sized(suites, 2)
        + sized(b"\0")
        + sized(extensions, 2)
    )
    return b"\x01" + sized(body, 3)


def record(data, kind=HANDSHAKE, version=b"\x03\x01"):
    return bytes([kind]) + version + sized(data, 2)


def records(data, size):
    """The message over records of `size` bytes each."""
    return b"".join(record(data[at : at + size]) for at in range(0, len(data), size))


def hello(*names, more=b""):
    """A whole hello in one record, with these names and further extensions."""
    named = server_name(*names) if names else b""
    return record(message(named + common_extensions() + more))


def der_of(pem):
    """The first certificate of a PEM file as bytes."""
    body = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END", pem.read_text(), re.S).group(1)
    return base64.b64decode(body)


class Answer:
    """What came back: ("certificate", DER), ("alert", description) or ("nothing", None).

    Records and messages that are not whole yet do not count.
    """

    def __init__(self, data):
        self.kind, self.value = "nothing", None
        self.extensions = set()  # of the ServerHello
        handshake = b""
        while len(data) >= 5 and len(data) >= 5 + (size := int.from_bytes(data[3:5], "big")):
            kind, body, data = data[0], data[5 : 5 + size], data[5 + size :]
            if kind == 21 and len(body) == 2:
                self.kind, self.value = "alert", body[1]
            elif kind == HANDSHAKE:
                handshake += body
        self._read(handshake)

    def _read(self, handshake):
        while len(handshake) >= 4 and len(handshake) >= 4 + (
            size := int.from_bytes(handshake[1:4], "big")
        ):
            kind, body, handshake = handshake[0], handshake[4 : 4 + size], handshake[4 + size :]
            if kind == 2:
                self._read_extensions(body[34 + 1 + body[34] + 3 :])
            elif kind == 11:
                length = int.from_bytes(body[3:6], "big")
                self.kind, self.value = "certificate", body[6 : 6 + length]

    def _read_extensions(self, data):
        data = data[2:]
        while len(data) >= 4:
            number, size = struct.unpack(">HH", data[:4])
            self.extensions.add(number)
            data = data[4 + size :]

    @property
    def whole(self):
        return self.kind != "nothing"
