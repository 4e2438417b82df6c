"""Bytes through penstock: exact in both directions, at any chunking, with bounded memory before
a reader that stalls.
"""
import random
import select
import time

import clients
import fleet
import pace
from clients import Payload, drain
from suite import MIB, Skip, expect, test

GIB = 1 << 30


def expect_same(received, payload, end="fin"):
    expect(
        received.size == payload.size,
        f"{received.size} of {payload.size} bytes came, end {received.end}",
    )
    expect(received.digest == payload.digest, "SHA-256 of what came differs from what was sent")
    expect(received.end == end, f"the stream ended with {received.end}, expected {end}")


def upload(t, kind, size, **chunks):
    payload = Payload(size)

    def handler(stream):
        received = drain(stream)
        stream.finish()
        return received

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        payload.send(stream, **chunks)
        stream.finish()
        expect_same(backend.result(60), payload)
        expect(drain(stream).end == "fin", "the backend's end arrives")
    record = penstock.wait_records(1)[0]
    expect(
        record["bytes_in"] == size and record["reason"] == "finished",
        f"the record tells the same: {record}",
    )


def download(t, kind, size, **chunks):
    payload = Payload(size)

    def handler(stream):
        payload.send(stream, **chunks)
        stream.finish()
        return drain(stream)

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        expect_same(drain(stream), payload)
        stream.finish()
        expect(backend.result().end == "fin", "the client's end arrives")
    record = penstock.wait_records(1)[0]
    expect(
        record["bytes_out"] == size and record["reason"] == "finished",
        f"the record tells the same: {record}",
    )


@test("1 GiB up through plain TCP, SHA-256 equal", limit=40)
def upload_plain(t):
    upload(t, "plain", t.bulk(GIB), seed=1)


@test("1 GiB down through plain TCP, SHA-256 equal", limit=40)
def download_plain(t):
    download(t, "plain", t.bulk(GIB), seed=2)


@test("1 GiB up through TLS 1.3, SHA-256 equal", limit=60)
def upload_tls(t):
    upload(t, "tls13", t.bulk(GIB))


@test("1 GiB down through TLS 1.3, SHA-256 equal", limit=60)
def download_tls(t):
    download(t, "tls13", t.bulk(GIB), seed=3)


@test("128 MiB each way through TLS 1.2, SHA-256 equal", limit=40)
def both_ways_tls12(t):
    upload(t, "tls12", t.bulk(GIB) // 8, seed=4)
    download(t, "tls12", t.bulk(GIB) // 8, seed=5)


@test("both directions at once, plain and TLS, in random chunks", limit=40)
def duplex(t):
    for kind in clients.KINDS:
        both_at_once(t, kind, Payload(t.bulk(256 * MIB) // 2))


def both_at_once(t, kind, payload):
    def handler(stream):
        sender = clients.Parallel()
        sender.start(payload.send, stream, seed=6)
        received = drain(stream, payload.size)
        sender.join()
        stream.finish()
        return received

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        sender = clients.Parallel()
        sender.start(payload.send, stream, seed=7)
        expect_same(drain(stream), payload)
        sender.join()
        stream.finish()
        expect_same(backend.result(), payload, "limit")


@test("sixteen transfers at once with chunks from one byte to 256 KiB stay exact", limit=40)
def many_transfers(t):
    payload = Payload(t.bulk(64 * MIB) // 4 + 12345)
    backend = fleet.Backend(t, lambda stream: payload.send(stream, seed=id(stream)))
    plain = t.front([backend])
    tls = t.front([backend], "tls13")

    def fetch(number):
        kind, penstock = ("plain", plain) if number % 2 else ("tls13", tls)
        sizes = random.Random(number)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            return drain(stream, chunk=lambda: sizes.randint(1, 256 << 10))

    for received in clients.parallel(fetch, range(16)):
        expect_same(received, payload)


@test("single bytes, each its own segment, arrive in order", limit=40)
def one_byte_writes(t):
    backend = fleet.Backend(t, fleet.echo)
    payload = Payload(t.count(40000))
    for kind in ("plain", "tls13"):
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            group = clients.Parallel()
            group.start(drain, stream, payload.size)
            payload.send(stream, largest=1)
            expect_same(group.join()[0], payload, "limit")
            stream.finish()
            expect(drain(stream).end == "fin", "the end follows")


@test("16 KiB TLS records reach a backend that reads slowly, with nothing left pending")
def tls_records_to_slow_backend(t):
    payload = Payload(MIB)
    go = clients.threading.Event()

    def handler(stream):
        go.wait(10)
        received = drain(stream, payload.size, chunk=lambda: 1024)
        stream.sendall(b"all")
        return received

    backend = fleet.Backend(t, handler, receive_buffer=4096)
    penstock = t.front([backend], "tls13")
    with clients.open_stream("tls13", penstock.address(), t.shared) as stream:
        sender = clients.Parallel()
        sender.start(payload.send, stream, largest=16 << 10)
        select.select([stream.socket], [], [], 0.5)  # the backend stalls while records pile up
        go.set()
        sender.join()
        expect(stream.exactly(3) == b"all", "the last byte arrived without another from the client")
        expect_same(backend.result(), payload, "limit")


@test(
    "20 readers that stall 5 s cost less than 1 MiB each, and the memory comes back within 10 s",
    limit=40,
)
def stalled_readers(t):
    clients.parallel(lambda kind: stall(t, kind), ("plain", "tls13"))


def stall(t, kind):
    sessions = 20
    payload = Payload(48 * MIB)  # more than the buffers of two kernels ever take
    sent = []  # of each connection, how many bytes its backend could send so far

    def handler(stream):
        stream.exactly(2)
        sent.append(0)
        number = len(sent) - 1
        for piece in payload.pieces():
            stream.sendall(piece)
            sent[number] += len(piece)

    backend = fleet.Backend(t, handler, expected=(OSError,))
    penstock = t.front([backend], kind)
    streams = [
        clients.open_stream(kind, penstock.address(), t.shared, receive_buffer=16 << 10)
        for _ in range(sessions)
    ]
    for stream in streams:
        t.defer(stream.close)
    penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == sessions, 5, "all sessions are up"
    )
    before = penstock.rss()
    for stream in streams:
        stream.sendall(b"go")
    peak = highest_rss(penstock, 5)
    expect(len(sent) == sessions and max(sent) < payload.size, f"the readers did stall: {sent}")
    read_some_and_leave(streams, payload)
    expect_memory_back(t, penstock, before, peak, sessions)


def highest_rss(penstock, seconds):
    peak = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        peak = max(peak, penstock.rss())
        time.sleep(0.05)
    return peak


def read_some_and_leave(streams, payload):
    """A few readers wake up and read to the end; the others never do and hang up."""
    for stream in streams[3:]:
        stream.reset()
    for received in clients.parallel(drain, streams[:3]):
        expect_same(received, payload)
    for stream in streams[:3]:
        stream.finish()
        stream.close()


def expect_memory_back(t, penstock, before, peak, sessions):
    penstock.wait_counters(lambda seen: seen["sessions"]["active"] == 0, 10, "all sessions closed")
    if t.small:
        return  # a sanitizer's own memory would be measured
    growth = (peak - before) / MIB
    expect(growth < sessions, f"RSS grew by {growth:.1f} MiB with {sessions} stalled sessions")
    deadline = time.monotonic() + 10
    while penstock.rss() > before + 4 * MIB:  # what two shards keep posted for bulk is 2 MiB
        left = (penstock.rss() - before) / MIB
        expect(time.monotonic() < deadline, f"{left:.1f} MiB more than before, 10 s later")
        time.sleep(0.1)


@test("a reader that stalls does not hold up its neighbours")
def stalled_reader_is_alone(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    penstock = t.front([backend], process={"shards": 1})
    with clients.connect(penstock.address(), receive_buffer=4096) as flooder, clients.Stream(
        clients.connect(penstock.address())
    ) as stream:
        flooder.setblocking(False)
        until_blocked(flooder)
        for number in range(200):
            start = time.monotonic()
            stream.sendall(b"%04d" % number)
            expect(stream.exactly(4) == b"%04d" % number, "the echo is exact")
            expect(
                time.monotonic() - start < pace.slow(1.0),
                "a neighbour waits less than a second for its echo",
            )
    # The flooder's bytes may be waited for: its backend is given time to take them.
    penstock.wait_counters(lambda seen: seen["sessions"]["active"] == 0, 8, "both have ended")


def until_blocked(connection):
    """Sends until nothing more is taken for 300 ms."""
    block = b"x" * 65536
    sent = 0
    while select.select([], [connection], [], 0.3)[1]:
        sent += connection.send(block)
        if sent > 512 * MIB:
            raise Skip("the sender never blocks here")
