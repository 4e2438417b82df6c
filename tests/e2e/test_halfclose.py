"""The ends of streams: each direction ends alone, over plain TCP, TLS 1.2 and TLS 1.3, while the
other goes on.
"""
import socket
import threading

import clients
import fleet
from clients import Payload, drain
from suite import MIB, expect, test
from test_transfer import expect_same


def client_ends_first(t, kind):
    """The client half-closes in the middle of what the backend streams to it."""
    up, down = Payload(MIB + 7), Payload(8 * MIB + 3)
    ended = threading.Event()

    def handler(stream):
        sender = clients.Parallel()
        sender.start(stream_around(down, ended), stream)
        received = drain(stream)
        ended.set()
        sender.join()
        stream.finish()
        return received

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        receiver = clients.Parallel()
        receiver.start(drain, stream)
        up.send(stream)
        stream.finish()
        expect_same(backend.result(), up)
        expect_same(receiver.join()[0], down)
    expect(penstock.reasons(1) == ["finished"], f"{kind}: reason finished, not {penstock.records}")


def stream_around(payload, event):
    """A sender of the payload that sends half, waits for the event, and sends the rest."""

    def send(stream):
        sent = 0
        for piece in payload.pieces(largest=64 << 10):
            if sent >= payload.size // 2 and not event.wait(10):
                raise TimeoutError("the other direction's end was not seen")
            stream.sendall(piece)
            sent += len(piece)

    return send


def backend_ends_first(t, kind):
    """The backend half-closes in the middle of what the client streams to it."""
    up, down = Payload(8 * MIB + 5), Payload(MIB + 9)
    ended = threading.Event()

    def handler(stream):
        receiver = clients.Parallel()
        receiver.start(drain, stream)
        down.send(stream)
        stream.finish()
        return receiver.join()[0]

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        sender = clients.Parallel()
        sender.start(stream_around(up, ended), stream)
        expect_same(drain(stream), down)
        ended.set()
        sender.join()
        stream.finish()
        expect_same(backend.result(), up)
    expect(penstock.reasons(1) == ["finished"], f"{kind}: reason finished, not {penstock.records}")


@test("a client that half-closes goes on receiving: plain, TLS 1.2, TLS 1.3")
def half_close_by_client(t):
    for kind in clients.KINDS:
        client_ends_first(t, kind)


@test("a backend that half-closes goes on receiving: plain, TLS 1.2, TLS 1.3")
def half_close_by_backend(t):
    for kind in clients.KINDS:
        backend_ends_first(t, kind)


@test("half-close over unix listeners and unix backends")
def half_close_unix(t):
    payload = Payload(2 * MIB)

    def handler(stream):
        received = drain(stream)
        payload.send(stream)
        stream.finish()
        return received

    backend = fleet.Backend(t, handler, address=f"unix:{t.dir}/backend.sock")
    penstock = t.front([backend], listener={"bind": [f"unix:{t.dir}/web.sock"]})
    with clients.Stream(clients.connect(penstock.address())) as stream:
        payload.send(stream)
        stream.finish()
        expect_same(drain(stream), payload)
        expect_same(backend.result(), payload)


@test("a connection without a byte passes both ends on, in both orders")
def zero_bytes(t):
    def handler(stream):
        stream.finish()
        return drain(stream)

    for kind in clients.KINDS:
        backend = fleet.Backend(t, handler)
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            expect(
                drain(stream) == clients.Received(0, drain_of_nothing(), "fin"),
                "an empty stream that ends",
            )
            stream.finish()
            expect(backend.result().end == "fin", "and the client's end arrives")
        expect(
            penstock.reasons(1) == ["finished"], f"{kind}: reason finished, not {penstock.records}"
        )


def drain_of_nothing():
    return clients.hashlib.sha256().hexdigest()


@test("a client that closes at once without a byte leaves nothing behind")
def connect_and_close(t):
    backend = fleet.Backend(t, drain)
    penstock = t.front([backend])
    for _ in range(100):
        clients.connect(penstock.address()).close()
    counters = penstock.wait_counters(
        lambda seen: sum(seen["sessions"]["closed"].values()) == 100, 5, "100 sessions ended"
    )
    unexpected = set(counters["sessions"]["closed"]) - {"finished", "client_gone"}
    expect(not unexpected, f"reasons: {counters['sessions']['closed']}")


@test("data and FIN in one segment are both delivered")
def data_with_fin(t):
    def handler(stream):
        request = drain(stream)
        stream.socket.send(b"reply", socket.MSG_MORE)
        stream.finish()
        return request

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend])
    for _ in range(20):
        with clients.Stream(clients.connect(penstock.address())) as stream:
            stream.socket.send(b"request", socket.MSG_MORE)  # held back until the FIN goes with it
            stream.finish()
            expect(backend.result().size == 7, "the request arrives whole")
            expect(drain(stream).size == 5, "the reply arrives whole")
    expect(set(penstock.reasons(20)) == {"finished"}, "all finished")


@test("both sides close at the same time, again and again")
def simultaneous_close(t):
    barrier = threading.Barrier(2)

    def handler(stream):
        stream.sendall(b"from the backend")
        barrier.wait(10)
        stream.finish()
        return drain(stream)

    backend = fleet.Backend(t, handler)
    for kind in clients.KINDS:
        penstock = t.front([backend], kind)
        for _ in range(t.count(50)):
            with clients.open_stream(kind, penstock.address(), t.shared) as stream:
                stream.sendall(b"from the client")
                barrier.wait(10)
                stream.finish()
                received = drain(stream)
                expect(
                    (received.size, received.end) == (16, "fin"),
                    f"{kind}: the client got {received}",
                )
                expect(backend.result().size == 15, "the backend got everything")
        expect(set(penstock.reasons(t.count(50))) == {"finished"}, "all finished")
