"""The end of the process: what is queued is served, what runs may finish, and nothing waits for
ever.
"""
import pathlib
import select
import signal
import time

import clients
import fleet
import pace
from suite import Failure, expect, test, until


def is_listening(address):
    """Whether some socket listens on this IPv4 port, asked without connecting to it."""
    port = int(address.rsplit(":", 1)[1])
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[3] == "0A" and int(row[1].split(":")[1], 16) == port for row in rows)


def wait_refusal(penstock):
    """Until the listener is gone; then a connect must be refused."""
    until(lambda: not is_listening(penstock.address()), 5, "the listener is closed")
    try:
        clients.connect(penstock.address()).close()
        raise Failure("a new connection was accepted")
    except ConnectionRefusedError:
        pass


def open_session(t, penstock):
    stream = clients.Stream(clients.connect(penstock.address()))
    t.defer(stream.close)
    exchange(stream, b"hello")
    return stream


def exchange(stream, text):
    stream.sendall(text)
    expect(stream.exactly(len(text)) == text, f"the echo of {text}")


def queue_up(penstock, count, send):
    """Stops the process, lets clients queue in the kernel with their requests sent, signals
    SIGTERM, goes on.
    """
    penstock.process.send_signal(signal.SIGSTOP)
    try:
        streams = [clients.Stream(clients.connect(penstock.address())) for _ in range(count)]
        for stream in streams:
            send(stream)
        penstock.signal(signal.SIGTERM)
    finally:
        penstock.process.send_signal(signal.SIGCONT)
    return streams


@test("20 connections queued when SIGTERM comes are served, new ones are refused, exit 0")
def queued_are_served(t):
    backend = fleet.Backend(t, fleet.echo)
    for shards in (1, 2):
        penstock = t.front([backend], process={"shards": shards})
        running = open_session(t, penstock)
        streams = queue_up(penstock, 20, lambda stream: stream.sendall(b"queued"))
        for stream in streams:
            t.defer(stream.close)
            expect(stream.exactly(6) == b"queued", "a queued client is served")
        wait_refusal(penstock)
        exchange(running, b"still running")
        for stream in [*streams, running]:
            stream.finish()
            expect(clients.drain(stream).end == "fin", "each session ends by itself")
        penstock.wait_exit(0, 5)
        final = penstock.snapshots[-1]["sessions"]
        expect(
            final["accepted"] == 21 and final["closed"] == {"finished": 21},
            f"final counters: {final}",
        )


@test("TLS clients queued when SIGTERM comes get their handshake and their answer")
def queued_tls(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls13")
    penstock.process.send_signal(signal.SIGSTOP)
    connections = [clients.connect(penstock.address()) for _ in range(10)]
    penstock.signal(signal.SIGTERM)
    penstock.process.send_signal(signal.SIGCONT)
    for connection in connections:
        with clients.TlsStream(connection, t.shared.client_context("tls13")) as stream:
            exchange(stream, b"queued")
            stream.finish()
            expect(clients.drain(stream).end == "fin", "and its end")
    penstock.wait_exit(0, 5)


@test("connections queued on a unix listener when SIGTERM comes are served")
def queued_unix(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], listener={"bind": [f"unix:{t.dir}/web.sock"]})
    streams = queue_up(penstock, 20, lambda stream: stream.sendall(b"queued"))
    for stream in streams:
        with stream:
            expect(stream.exactly(6) == b"queued", "a queued client is served")
            stream.finish()
            expect(clients.drain(stream).end == "fin", "and its end")
    penstock.wait_exit(0, 5)


@test("SIGINT ends an idle penstock with 0 at once")
def sigint(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    start = time.monotonic()
    penstock.signal(signal.SIGINT)
    penstock.wait_exit(0, 3)
    expect(time.monotonic() - start < pace.slow(2), f"it took {time.monotonic() - start:.2f} s")


def greeted(stream):
    """Handler: answers five bytes, then only reads, until the end."""
    stream.sendall(stream.exactly(5))
    return clients.drain(stream)


@test("a session that outlasts shutdown_timeout is reset and counted as shutdown, exit 0")
def cut_at_timeout(t):
    backend = fleet.Backend(t, greeted)
    penstock = t.front([backend], process={"shutdown_timeout": "1s"})
    stream = open_session(t, penstock)
    start = time.monotonic()
    penstock.signal(signal.SIGTERM)
    expect(clients.drain(stream).end == "reset", "the client sees a reset")
    penstock.wait_exit(0, 4)
    seconds = time.monotonic() - start
    expect(0.9 < seconds < pace.slow(3), f"it took {seconds:.2f} s")
    expect(backend.result().end == "reset", "the backend sees a reset")
    final = penstock.snapshots[-1]["sessions"]
    expect(final["closed"] == {"shutdown": 1}, f"final counters: {final}")


@test("a second signal ends at once with 1")
def second_signal(t):
    backend = fleet.Backend(t, greeted)
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
        penstock = t.front([backend])
        with open_session(t, penstock) as stream:
            penstock.signal(first)
            wait_refusal(penstock)
            expect(penstock.process.poll() is None, "it waits for its session")
            penstock.signal(second)
            penstock.wait_exit(1, 2)
            expect(clients.drain(stream).end == "reset", "the client sees a reset")
        final = penstock.snapshots[-1]["sessions"]
        expect(final["closed"] == {"shutdown": 1}, f"final counters: {final}")


@test("a transfer that is running when SIGTERM comes is delivered whole")
def transfer_outlives_sigterm(t):
    payload = clients.Payload(t.bulk(256 << 20) // 4)
    backend = fleet.Backend(t, payload.send)
    for kind in ("plain", "tls13"):
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            head = stream.exactly(1000)
            penstock.signal(signal.SIGTERM)
            wait_refusal(penstock)
            rest = clients.drain(stream)
        expect(len(head) + rest.size == payload.size and rest.end == "fin", f"{kind}: {rest}")
        penstock.wait_exit(0, 5)


def is_accepting(address):
    """Whether a connect comes through; while old ones still wait it is dropped, later refused."""
    try:
        clients.connect(address, timeout=0.2).close()
        return True
    except (TimeoutError, ConnectionRefusedError):
        return False


@test("clients that wait at max_connections when SIGTERM comes are served as room is made")
def waiting_at_the_limit(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], process={"max_connections": 1, "shards": 1})
    running = open_session(t, penstock)
    waiting = [clients.Stream(clients.connect(penstock.address())) for _ in range(5)]
    for stream in waiting:
        t.defer(stream.close)
        stream.sendall(b"waited")
    penstock.signal(signal.SIGTERM)
    penstock.wait_log(r"^stopping on SIGTERM")
    until(lambda: not is_accepting(penstock.address()), 5, "new connections are not taken")
    running.finish()
    expect(clients.drain(running).end == "fin", "the running one ends")
    while waiting:
        ready = select.select([stream.socket for stream in waiting], [], [], pace.slow(5))[0]
        expect(ready, f"one of {len(waiting)} waiting clients is served")
        stream = next(stream for stream in waiting if stream.socket is ready[0])
        expect(stream.exactly(6) == b"waited", "with its answer")
        stream.finish()
        expect(clients.drain(stream).end == "fin", "and its end")
        waiting.remove(stream)
    penstock.wait_exit(0, 5)
