"""Hellos, tickets and records that are odd, split, oversized or hostile (cases 10 to 16, 18 and 19
of tests/FAULTS.md). What a hello chose is seen in the certificate that comes back: the listener has
one for penstock.test, its default, and one for other.test.
"""
import os
import socket
import ssl
import struct
import subprocess
import threading

import clients
import fleet
import hello as hellos
from adversary import Adversary
from hello import Answer, extension, hello, message, record, records, server_name
from suite import expect, test, until

NAME, OTHER = b"penstock.test", b"other.test"


class Site:
    """A penstock with the two certificates, an adversary, and how to ask it."""

    def __init__(self, t, handshake_timeout="5s"):
        folder = t.shared.certificates()
        second = second_certificate(t)
        self.default = hellos.der_of(folder / "server.pem")
        self.other = hellos.der_of(second)
        self.adversary = Adversary(t)
        self.backend = self.adversary.server(
            lambda peer: peer.echo(), expected=(OSError, EOFError)
        )
        tls = t.shared.tls(handshake_timeout=handshake_timeout)
        tls["certificates"].append({"chain": second, "key": second.with_suffix(".key")})
        self.penstock = t.front([self.backend], listener={"tls": tls})

    def ask(self, pieces_of_hellos, pause=0.0):
        """The answer to each hello, which is a list of pieces that are sent one by one."""

        def asking(pieces):
            def script(peer):
                yield from peer.connect(self.penstock.address())
                for piece in pieces:
                    yield from peer.send(piece)
                    if pause:
                        yield from peer.hold(pause)
                answer = yield from read_answer(peer)
                if answer.kind == "certificate":
                    peer.reset()
                return answer

            return script

        return self.adversary.outcomes(
            self.adversary.clients(asking(pieces) for pieces in pieces_of_hellos)
        )

    def name_of(self, answer):
        """What an answer is called in the tables of these tests."""
        if answer.kind == "certificate":
            return {self.default: "default", self.other: "other"}[answer.value]
        return answer.kind


def read_answer(peer):
    """Reads until the answer is clear or the connection ends."""
    data = bytearray()
    while True:
        try:
            data += yield from peer.receive(1)
        except (EOFError, ConnectionResetError):
            return Answer(bytes(data))
        if len(data) > 60 and len(data) % 64:
            continue
        answer = Answer(bytes(data))
        if answer.whole:
            return answer


def second_certificate(t):
    """A self-signed certificate for other.test; its key is beside it."""
    path = t.dir / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-keyout", path.with_suffix(".key"), "-out", path, "-days", "30"]
        + ["-subj", "/CN=other.test", "-addext", "subjectAltName=DNS:other.test"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return path


@test("a hello that is split anywhere, dripped, or longer than a segment finds its certificate")
def split_hellos(t):
    site = Site(t)
    whole = hello(OTHER)
    answers = site.ask([[whole[:at], whole[at:]] for at in range(1, len(whole))], pause=0.02)
    seen = {site.name_of(answer) for answer in answers}
    expect(seen == {"other"}, f"split in two at each of {len(whole)} places: {seen}")
    dripped = site.ask([[bytes([byte]) for byte in whole]], pause=0.005)[0]
    expect(site.name_of(dripped) == "other", f"byte by byte: {dripped.kind}")
    # A post-quantum share makes the hello longer than a segment; the name comes after it.
    share = struct.pack(">H", hellos.X25519_MLKEM768) + hellos.sized(os.urandom(1216), 2)
    large = record(
        message(
            extension(hellos.KEY_SHARE, hellos.sized(share, 2))
            + hellos.common_extensions()
            + server_name(OTHER)
        )
    )
    expect(len(large) > 1250, f"{len(large)} bytes")
    at = large.index(OTHER)
    answers = site.ask([[large[:1200], large[1200:]], [large[:at], large[at:]]], pause=0.05)
    expect({site.name_of(answer) for answer in answers} == {"other"}, "with a post-quantum share")
    expect(site.backend.accepted == 0, "and no backend was dialled for a hello alone")


@test("hellos over many records, with empty ones between or larger than a record: served or closed")
def hellos_over_records(t):
    site = Site(t)
    body = message(server_name(OTHER) + hellos.common_extensions())
    at = body.index(OTHER) + 3
    padded = message(
        server_name(OTHER)
        + hellos.common_extensions()
        + extension(hellos.PADDING, bytes(17000))
    )
    forever = record(padded[:1000]) + record(b"") * 500
    stimuli = {
        "two records, split inside the name": (record(body[:at]) + record(body[at:]), "other"),
        "a record for each 2 bytes": (records(body, 2), "other"),
        "17 KB over two records": (records(padded, 16384), "other"),
        "64 records": (records(padded, len(padded) // 64 + 1), "other"),
        "empty records between": (record(body[:at]) + record(b"") + record(body[at:]), None),
        "500 empty records": (forever, "alert"),
        "a message of 16 MB, announced": (record(b"\x01\xff\xff\xff" + bytes(9000)), "alert"),
    }
    answers = site.ask([data] for data, _ in stimuli.values())
    for (what, (_, expected)), answer in zip(stimuli.items(), answers):
        seen = site.name_of(answer)
        allowed = {"other", "alert"} if expected is None else {expected}
        expect(seen in allowed, f"{what}: {seen}, not {allowed}")


@test("names that are missing, odd or malformed get the default certificate or an alert")
def odd_names(t):
    site = Site(t)

    def named(*names, kind=0):
        return record(message(server_name(*names, kind=kind) + hellos.common_extensions()))

    def raw(body):
        return record(message(extension(hellos.SERVER_NAME, body) + hellos.common_extensions()))

    entry = b"\0" + hellos.sized(OTHER, 2)
    stimuli = {
        "no name": (hello(), "default"),
        "a name": (named(OTHER), "other"),
        "upper case": (named(b"OTHER.Test"), "other"),
        "a trailing dot": (named(OTHER + b"."), "other"),
        "two trailing dots": (named(OTHER + b".."), "default"),
        "a part of the name": (named(b"ther.test"), "default"),
        "an address": (named(b"127.0.0.1"), "default"),
        "not ASCII": (named("öther.test".encode()), "default"),
        "an empty name": (named(b""), {"default", "alert"}),
        "255 bytes": (named(b"a." * 119 + b"other.test" + b".toolon"), "default"),
        "more than 255": (named(b"a" * 300), "alert"),
        "a NUL at the end": (named(OTHER + b"\0"), "alert"),
        "a NUL inside": (named(OTHER + b"\0.penstock.test"), "alert"),
        "two names": (named(OTHER, NAME), "alert"),
        "an unknown kind of name": (named(OTHER, kind=7), {"default", "alert"}),
        "two extensions": (
            record(message(server_name(OTHER) * 2 + hellos.common_extensions())),
            "alert",
        ),
        "an empty list": (raw(hellos.sized(b"", 2)), "alert"),
        "an empty extension": (raw(b""), "alert"),
        "a list longer than the extension": (raw(b"\0\xff" + entry), "alert"),
        "a list shorter than the extension": (raw(hellos.sized(entry, 2) + b"\0"), "alert"),
        "a name longer than the list": (raw(hellos.sized(b"\0\0\xff" + OTHER, 2)), "alert"),
    }
    answers = site.ask([data] for data, _ in stimuli.values())
    for (what, (_, expected)), answer in zip(stimuli.items(), answers):
        allowed = expected if isinstance(expected, set) else {expected}
        expect(site.name_of(answer) in allowed, f"{what}: {site.name_of(answer)}, not {allowed}")
    expect(site.backend.accepted == 0, "no backend was dialled for a hello alone")


@test("every length in a hello made too large or too small is an alert or waits for the deadline")
def length_overruns(t):
    site = Site(t, handshake_timeout="2s")
    whole = hello(OTHER)
    places = {
        "record": (3, 2),
        "message": (6, 3),
        "session id": (43, 1),
        "suites": (44, 2),
        "compressions": (52, 1),
        "extensions": (54, 2),
        "extension": (58, 2),
        "name list": (60, 2),
        "name": (63, 2),
    }
    stimuli = {}
    for what, (at, width) in places.items():
        value = int.from_bytes(whole[at : at + width], "big")
        for change in (-1, 1, 200):
            changed = max(0, value + change) % (1 << 8 * width)
            if changed != value:
                data = whole[:at] + changed.to_bytes(width, "big") + whole[at + width :]
                stimuli[f"{what} {value} {change:+d}"] = data
    answers = site.ask([data] for data in stimuli.values())
    for what, answer in zip(stimuli, answers):
        expect(answer.kind in ("alert", "nothing"), f"{what}: {site.name_of(answer)}")
    reasons = set(site.penstock.reasons(len(stimuli)))
    expect(reasons <= {"handshake_failed", "handshake_timeout"}, f"{reasons}")
    expect(site.backend.accepted == 0, "no backend was dialled for them")


@test("GREASE, an encrypted hello's outer name and padding change nothing; heartbeat is not spoken")
def harmless_extensions(t):
    site = Site(t)
    grease = extension(0x0A0A, b"") + extension(0x3A3A, b"\0")
    ech = extension(hellos.ECH, b"\0" + bytes(4) + b"\7" + hellos.sized(os.urandom(32), 2)
                    + hellos.sized(os.urandom(144), 2))
    heartbeat = extension(hellos.HEARTBEAT, b"\1")
    stimuli = {
        "GREASE": hello(OTHER, more=grease),
        "GREASE in the suites": record(
            message(
                server_name(OTHER) + hellos.common_extensions(), b"\x1a\x1a" + hellos.SUITES
            )
        ),
        "an encrypted hello": hello(OTHER, more=ech),
        "padding": hello(OTHER, more=extension(hellos.PADDING, bytes(700))),
        "heartbeat": hello(OTHER, more=heartbeat),
    }
    answers = site.ask([data] for data in stimuli.values())
    for what, answer in zip(stimuli, answers):
        expect(site.name_of(answer) == "other", f"{what}: {site.name_of(answer)}")
        expect(hellos.HEARTBEAT not in answer.extensions, "heartbeat is not agreed on")
    beat = record(b"\1\xff\xff", kind=24, version=b"\3\3")
    answer = site.ask([[beat], [hello(OTHER) + beat]])[0]
    expect(answer.kind != "certificate", f"a heartbeat record is refused: {answer.kind}")


@test("PROXY headers where none are expected reach the backend as the bytes they are")
def proxy_headers_are_payload(t):
    adversary = Adversary(t)
    backend = adversary.server(lambda peer: peer.echo())
    penstock = t.front([backend])
    second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)
    for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"PROXY UNKNOWN\r\n", second):

        def script(peer, header=header):
            yield from peer.connect(penstock.address())
            yield from peer.send(header + b"hello")
            answer = yield from peer.receive(len(header) + 5)
            peer.half_close()
            yield from peer.until_end()
            return answer

        answer = adversary.outcomes([adversary.client(script)])[0]
        expect(answer == header + b"hello", f"{header} became {answer}")
    records = penstock.wait_records(3)
    expect(all(each["client"].startswith("127.0.0.1:") for each in records), f"{records}")


class Session:
    """A TLS client over an SSLObject, which can hand out its session and take another's."""

    def __init__(self, t, penstock, version, session=None):
        context = t.shared.client_context(version)
        connection = clients.connect(penstock.address())
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="penstock.test", session=session)
        with connection:
            self._step(connection, incoming, outgoing, tls.do_handshake)
            tls.write(b"ping")
            self.answer = self._step(connection, incoming, outgoing, lambda: tls.read(4))
            self.session, self.reused = tls.session, tls.session_reused
            try:
                tls.unwrap()
            except ssl.SSLError:
                pass  # close_notify is written; the peer's own is not awaited
            connection.sendall(outgoing.read())
            while connection.recv(4096):
                pass

    @staticmethod
    def _step(connection, incoming, outgoing, function):
        while True:
            try:
                result = function()
                connection.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))


@test("tickets resume on every shard; a garbage ticket means a full handshake")
def tickets(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls")
    for version in ("tls12", "tls13"):
        first = Session(t, penstock, version)
        expect(not first.reused and first.session.has_ticket, f"{version}: a ticket comes")
        for _ in range(8):  # by chance, both shards are among them
            again = Session(t, penstock, version, first.session)
            expect(again.reused and again.answer == b"ping", f"{version}: it resumes")
    site = Site(t)
    garbage = [extension(hellos.SESSION_TICKET, os.urandom(size)) for size in (1, 16, 192, 9000)]
    for answer in site.ask([hello(NAME, more=ticket)] for ticket in garbage):
        expect(site.name_of(answer) == "default", f"a full handshake: {answer.kind}")


FLOOD = 2000


@test("a flood of KeyUpdates is answered in bounded memory while others are served", limit=40)
def key_update_flood(t):
    site = Site(t)
    penstock = site.penstock
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = ["openssl", "s_client", "-connect", penstock.address(), "-tls1_3"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    t.defer(process.kill)
    theirs.close()
    output = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout), daemon=True)
    reader.start()
    penstock.wait_counters(
        lambda seen: seen["backends"]["app/py"]["active"] == 1, 10, "the session is up"
    )
    before, cpu = penstock.rss(), penstock.cpu_seconds()
    count = t.count(FLOOD)
    # One packet each, because s_client looks at the start of what it reads. It sends the KeyUpdate
    # that K asks for before the next data.
    for number in range(count):
        ours.send(b"K\n")
        ours.send(b"%d\n" % number)
    last = b"%d\n" % (count - 1)
    until(lambda: last in b"".join(output[-20:]), 20, "the echo after the flood")
    updates = b"".join(output).count(b"KEYUPDATE")
    expect(updates == count, f"{updates} KeyUpdates were sent")
    growth = penstock.rss() - before
    if not t.small:
        # The buffers that a shard has posted are touched one after another, 4 MiB of them.
        expect(growth < 6 << 20, f"{growth} bytes of memory more")
        expect(penstock.cpu_seconds() - cpu < 2, "and little CPU")
    ours.close()
    process.wait(10)


@test("floods of empty, ChangeCipherSpec and warning records in a handshake are cut off at once")
def record_floods(t):
    site = Site(t, handshake_timeout="10s")
    whole = hello(OTHER)
    ccs = record(b"\1", kind=20, version=b"\3\3")
    warning = record(b"\1\x5a", kind=21)  # user_canceled, a warning
    floods = {
        "ChangeCipherSpec before a hello": ccs * 5000,
        "ChangeCipherSpec after half a hello": record(whole[5:60]) + ccs * 5000,
        "empty records": record(whole[5:60]) + record(b"") * 5000,
        "warnings": warning * 5000,
    }
    site.ask([data] for data in floods.values())
    records = site.penstock.wait_records(len(floods))
    reasons = {each["reason"] for each in records}
    expect(reasons == {"handshake_failed"}, f"{records}")
    longest = max(each["duration_ms"] for each in records)
    expect(longest < 8000, f"cut off, not timed out: after {longest} ms")


@test("a flood of ChangeCipherSpec records in a TLS 1.3 session ends it as tls_error")
def ccs_flood_in_session(t):
    site = Site(t)
    context = t.shared.client_context("tls13")
    ccs = record(b"\1", kind=20, version=b"\3\3")

    def script(peer):
        yield from peer.connect(site.penstock.address())
        yield from peer.handshake(context)
        yield from peer.send(peer.encrypted(b"ping"))
        try:
            for _ in range(100):
                yield from peer.send(ccs * 50)
            return (yield from peer.until_end()).end
        except (BrokenPipeError, ConnectionResetError):
            return "reset"

    site.adversary.outcomes([site.adversary.client(script)])
    expect(site.penstock.reasons(1) == ["tls_error"], f"{site.penstock.records}")


@test("garbage of every length after the handshake ends in a reset, and what came before arrives")
def garbage_after_handshake(t):
    site = Site(t)
    context = t.shared.client_context("tls13")

    def script(data):
        def steps(peer):
            yield from peer.connect(site.penstock.address())
            yield from peer.handshake(context)
            yield from peer.send(peer.encrypted(b"ping") + data)
            return (yield from peer.until_end()).end

        return steps

    stimuli = [bytes([23, 3, 3]) + hellos.sized(os.urandom(size), 2) for size in (1, 17, 300, 9000)]
    stimuli += [b"GET / HTTP/1.0\r\n\r\n", record(b"\2\0", kind=21), os.urandom(64)[:5] * 13]
    ends = site.adversary.outcomes(site.adversary.clients(map(script, stimuli)))
    expect(set(ends) <= {"reset", "fin"}, f"{ends}")
    records_ = site.penstock.wait_records(len(stimuli))
    expect({each["reason"] for each in records_} == {"tls_error"}, f"{records_}")
    expect({each["bytes_in"] for each in records_} == {4}, f"{records_}")
