"""Resets: passed on after the bytes that came before them, whichever operation of penstock meets
the reset first.
"""
import select
import socket
import time

import clients
import fleet
from clients import Payload, drain
from suite import MIB, expect, test

STALL = 2.0
SIZE = MIB


def stall():
    """The stimulus itself: a reader that does not read for two seconds."""
    time.sleep(STALL)


class Traffic:
    """Small pieces sent without pause until the stream refuses them, on a thread of its own."""

    def __init__(self, stream, wanted=True):
        self._group = clients.Parallel()
        if wanted:
            self._group.start(send_until_error, stream)

    def end_seen(self, received):
        """How the stream ended. The kernel tells of a reset once: what then reads, reads an end."""
        errors = self._group.join(20)
        return "reset" if ConnectionResetError in errors else received.end


def send_until_error(stream, seconds=15.0):
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            stream.sendall(b"y" * 512)
            select.select([], [], [], 0.002)
    except OSError as error:
        return type(error)
    raise TimeoutError("sending towards a side that has reset never failed")


def expect_reset(kind, received, end, payload):
    expect(
        received.size == payload.size, f"{kind}: {received.size} of {payload.size} bytes, end {end}"
    )
    expect(received.digest == payload.digest, f"{kind}: the bytes are exact")
    expect(end == "reset", f"{kind}: then ECONNRESET, not {end}")


def backend_resets(t, kind, with_traffic):
    """The backend sends 1 MiB, waits until it is acknowledged, and resets, while the client
    stalls.
    """
    payload = Payload(SIZE)

    def handler(stream):
        stream.exactly(2)
        payload.send(stream)
        acknowledged = clients.wait_acknowledged(stream)
        stream.reset()
        return acknowledged

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        stream.sendall(b"go")
        traffic = Traffic(stream, with_traffic)
        stall()
        received = drain(stream)
        expect(backend.result(), "the backend's bytes were acknowledged before the reset")
        expect_reset(kind, received, traffic.end_seen(received), payload)
    expect(penstock.reasons(1) == ["backend_reset"], f"{kind}: {penstock.records}")


def client_resets(t, kind, with_traffic):
    """The same from the client's side."""
    payload = Payload(SIZE)

    def handler(stream):
        traffic = Traffic(stream, with_traffic)
        stall()
        received = drain(stream)
        return received, traffic.end_seen(received)

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    stream = clients.open_stream(kind, penstock.address(), t.shared)
    payload.send(stream)
    expect(
        clients.wait_acknowledged(stream), "the client's bytes were acknowledged before the reset"
    )
    stream.reset()
    received, end = backend.result()
    expect_reset(kind, received, end, payload)
    expect(penstock.reasons(1) == ["client_reset"], f"{kind}: {penstock.records}")


def every_kind(function, t, with_traffic):
    clients.parallel(lambda kind: function(t, kind, with_traffic), clients.KINDS)


@test("a backend's reset follows its acknowledged 1 MiB to a client that stalls 2 s: plain and TLS")
def reset_from_backend(t):
    every_kind(backend_resets, t, False)


@test("a client's reset follows its acknowledged 1 MiB to a backend that stalls 2 s: plain and TLS")
def reset_from_client(t):
    every_kind(client_resets, t, False)


@test("the same when penstock is sending towards the backend that resets: plain and TLS")
def reset_meets_send_to_backend(t):
    every_kind(backend_resets, t, True)


@test("the same when penstock is sending towards the client that resets: plain and TLS")
def reset_meets_send_to_client(t):
    every_kind(client_resets, t, True)


def fill_acknowledged(stream):
    """Sends until the peer's window is full. Returns how many bytes are acknowledged, how many
    were sent.
    """
    sent = 0
    acknowledged = 0
    piece = b"z" * (256 << 10)
    stream.socket.settimeout(0.5)
    try:
        while sent < 64 * MIB:
            sent += stream.socket.send(piece)
            if not clients.wait_acknowledged(stream, 0.5):
                break
            acknowledged = sent
    except TimeoutError:
        pass
    return acknowledged, sent


@test("a reset while every buffer is full: all that was acknowledged arrives, then the reset")
def reset_with_full_buffers(t):
    clients.parallel(lambda kind: full_buffers(t, kind), ("plain", "tls13"))


@test(
    "the same for a reader so slow that for 8 s no room is made to send more",
    limit=40,
    tiers=("full",),  # how the ring completes has no part in it
)
def reset_with_slow_reader(t):
    full_buffers(t, "plain", slow_seconds=8.0)


def read_slowly(stream, seconds):
    """About 80 KiB a second; returns how many bytes that were."""
    size = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        size += len(stream.recv(4096))
        select.select([], [], [], 0.05)
    return size


def full_buffers(t, kind, slow_seconds=0.0):
    def handler(stream):
        stream.exactly(2)
        counts = fill_acknowledged(stream)
        stream.reset()
        return counts

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared, receive_buffer=64 << 10) as stream:
        stream.sendall(b"go")
        acknowledged, sent = backend.result(30)
        # It is penstock's send that meets the reset: its receive waits for this reader.
        traffic = Traffic(stream)
        select.select([], [], [], 0.3)
        slowly = read_slowly(stream, slow_seconds)
        received = drain(stream)
        end = traffic.end_seen(received)
    expect(end == "reset", f"{kind}: ends with a reset: {received}")
    expect(
        acknowledged <= slowly + received.size <= sent,
        f"{kind}: {acknowledged} acknowledged, {slowly + received.size} delivered",
    )
    expect(penstock.reasons(1) == ["backend_reset"], f"{kind}: {penstock.records}")


def read_and_reset(stream):
    """Handler: resets once the session stands, which a reset at once could come before."""
    stream.exactly(1)
    stream.reset()


@test("a reset without a byte is passed on at once in both directions")
def bare_reset(t):
    for kind in clients.KINDS:
        backend = fleet.Backend(t, read_and_reset)
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            stream.sendall(b"x")
            expect(drain(stream).end == "reset", f"{kind}: the backend's reset arrives")
        backend = fleet.Backend(t, drain, "second")
        second = t.front([backend], kind)
        stream = clients.open_stream(kind, second.address(), t.shared)
        second.wait_counters(
            lambda seen: seen["backends"]["app/second"]["active"] == 1, 5, "the session is up"
        )
        stream.reset()
        expect(backend.result().end == "reset", f"{kind}: the client's reset arrives")
        expect(second.reasons(1) == ["client_reset"], f"{kind}: {second.records}")


@test("a reset after the other side has ended its stream is still a reset")
def reset_after_half_close(t):
    def handler(stream):
        drain(stream)
        stream.sendall(b"half an answer")
        clients.wait_acknowledged(stream)
        stream.reset()

    backend = fleet.Backend(t, handler)
    for kind in clients.KINDS:
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            stream.finish()
            received = drain(stream)
            expect((received.size, received.end) == (14, "reset"), f"{kind}: {received}")
        expect(penstock.reasons(1) == ["backend_reset"], f"{kind}: {penstock.records}")


@test("resets of 200 sessions in the middle of traffic leave nothing behind", limit=30)
def many_resets(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    for kind in ("plain", "tls13"):
        penstock = t.front([backend], kind)
        clients.parallel(lambda part: reset_in_traffic(t, penstock, kind, part), range(8))
        total = 8 * t.count(25)
        penstock.wait_counters(
            lambda seen: seen["sessions"]["closed"].get("client_reset", 0) == total,
            8,
            f"{kind}: {total} sessions ended by client_reset",
        )


def reset_in_traffic(t, penstock, kind, part):
    for number in range(t.count(25)):
        stream = clients.open_stream(kind, penstock.address(), t.shared)
        stream.sendall(b"w" * (1 + 3000 * ((part + number) % 40)))
        stream.recv(1)
        if number % 2:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.reset()
