"""Idle sessions, keepalive and TCP_NODELAY."""
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

import clients
import fleet
from adversary import Adversary
import pace
from suite import Skip, expect, test, until


def one_echo(stream):
    stream.sendall(b"ping")
    expect(stream.exactly(4) == b"ping", "the echo")


@test("a session without a byte for idle_timeout is reset on both sides: plain and TLS")
def idle_timeout(t):
    backend = fleet.Backend(t, clients.drain)

    def idle(kind):
        penstock = t.front([backend], kind, listener={"idle_timeout": "1s"})
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            stream.sendall(b"ping")
            start = time.monotonic()
            expect(
                clients.drain(stream).end == "reset", f"{kind}: the client sees a reset, not an end"
            )
            seconds = time.monotonic() - start
            expect(0.9 < seconds < pace.slow(2.5), f"{kind}: idle for {seconds:.2f} s")
        expect(penstock.reasons(1) == ["idle_timeout"], f"{kind}: {penstock.records}")

    clients.parallel(idle, clients.KINDS)
    ends = {backend.result().end for _ in clients.KINDS}
    expect(ends == {"reset"}, f"the backends see a reset: {ends}")


@test("a half-closed session that goes idle is cut too")
def idle_half_closed(t):
    release = threading.Event()
    t.defer(release.set)

    def handler(stream):
        clients.drain(stream)
        release.wait(10)

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend], listener={"idle_timeout": "1s"})
    with clients.Stream(clients.connect(penstock.address())) as stream:
        stream.sendall(b"ping")
        stream.finish()
        start = time.monotonic()
        expect(clients.drain(stream).end == "reset", "the client sees a reset")
        seconds = time.monotonic() - start
        expect(0.9 < seconds < pace.slow(2.5), f"after {seconds:.2f} s")
    release.set()
    expect(penstock.reasons(1) == ["idle_timeout"], f"{penstock.records}")


@test("a byte in either direction keeps a session alive")
def traffic_keeps_alive(t):
    stop = threading.Event()
    t.defer(stop.set)

    def ticking(stream):
        while not stop.wait(0.3):
            stream.sendall(b".")

    talker = fleet.Backend(t, ticking, "talker", expected=(OSError,))
    listener = fleet.Backend(t, clients.drain, "listener")
    downward = t.front([talker], listener={"idle_timeout": "1s"})
    upward = t.front([listener], listener={"idle_timeout": "1s"})
    with clients.Stream(clients.connect(downward.address())) as down, clients.Stream(
        clients.connect(upward.address())
    ) as up:
        start = time.monotonic()
        while time.monotonic() - start < 1.8:
            expect(down.exactly(1) == b".", "the backend's byte arrives")
            up.sendall(b".")
        up.finish()
        expect(listener.result().end == "fin", "the client's end arrives as an end")
        stop.set()
        clients.drain(down)
    expect(upward.reasons(1) == ["finished"], f"{upward.records}")
    expect(downward.reasons(1) == ["finished"], f"{downward.records}")


def endless(stream):
    """Handler: sends until the connection breaks."""
    while True:
        stream.sendall(bytes(1 << 16))


@test("a client that acknowledges but reads nothing for user_timeout is cut")
def closed_window(t):
    backend = fleet.Backend(t, endless, expected=(OSError,))
    penstock = t.front([backend], listener={"user_timeout": "1s"})
    with clients.Stream(clients.connect(penstock.address(), receive_buffer=4096)):
        start = time.monotonic()
        expect(penstock.reasons(1, 15) == ["client_timeout"], f"{penstock.records}")
        expect(time.monotonic() - start > 0.9, "not before user_timeout")


@test("idle_timeout 0s turns it off")
def idle_off(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], listener={"idle_timeout": "0s"})
    with clients.Stream(clients.connect(penstock.address())) as stream:
        one_echo(stream)
        expect(not select.select([stream.socket], [], [], 0.5)[0], "nothing happens to the session")
        one_echo(stream)


@test("keepalive runs on both legs with the configured time")
def keepalive(t):
    if not shutil.which("ss"):
        raise Skip("ss (iproute2) is not installed")
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], listener={"keepalive": "47s"})
    with clients.Stream(clients.connect(penstock.address())) as stream:
        one_echo(stream)
        front = penstock.address().rsplit(":", 1)[1]
        back = backend.address.rsplit(":", 1)[1]
        for name, filter_ in (("front", f"sport = :{front}"), ("back", f"dport = :{back}")):
            output = subprocess.run(
                ["ss", "-tnoH", "state", "established", filter_],
                capture_output=True,
                text=True,
                timeout=pace.slow(10),
                check=True,
            ).stdout
            timers = [int(found) for found in re.findall(r"timer:\(keepalive,(\d+)sec", output)]
            expect(len(timers) == 1 and 40 <= timers[0] <= 47, f"{name} leg: {output}")


def split_message(sender, receiver, rounds):
    """Two small segments per round, the second when the first has arrived; milliseconds until both
    are there.

    Nagle's algorithm would hold the second until the first is acknowledged, and the receiver delays
    that by 40 ms.
    """
    times = []
    for _ in range(rounds):
        receiver.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        start = time.monotonic()
        sender.sendall(b"a")
        receiver.exactly(1)
        sender.sendall(b"b")
        receiver.exactly(1)
        times.append((time.monotonic() - start) * 1000)
        receiver.sendall(b"c")
        sender.exactly(1)
    return times


@test("small writes are not delayed: TCP_NODELAY is on towards both sides")
def nodelay(t):
    accepted = fleet.queue.Queue()
    done = threading.Event()
    t.defer(done.set)

    def handler(stream):
        accepted.put(stream)
        done.wait(15)

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend])
    with clients.Stream(clients.connect(penstock.address())) as client:
        server = accepted.get(timeout=pace.slow(10))
        for name, times in (
            ("up", split_message(client, server, 30)),
            ("down", split_message(server, client, 30)),
        ):
            expect(
                statistics.median(times) < pace.slow(20),
                f"{name}: median {statistics.median(times):.1f} ms per message",
            )
        done.set()


@test("a process that was stopped for longer than idle_timeout serves the bytes that waited")
def stopped_process(t):
    adversary = Adversary(t)
    backend = adversary.server(lambda peer: peer.echo(), expected=(OSError,))
    penstock = t.front([backend], listener={"idle_timeout": "1s"})
    go = adversary.gate()

    def script(peer):
        yield from peer.connect(penstock.address())
        yield from peer.send(b"ping")
        yield from peer.receive(4)
        yield from peer.hold_until(go)
        yield from peer.send(b"ping")
        answer = yield from peer.receive(4)
        peer.reset()
        return answer

    peers = adversary.clients([script] * 10)
    until(lambda: all(peer.received == 4 for peer in peers), 5, "all are served")
    penstock.process.send_signal(signal.SIGSTOP)
    go.open()
    time.sleep(1.5)  # the stimulus itself: longer than idle_timeout
    penstock.process.send_signal(signal.SIGCONT)
    expect(set(adversary.outcomes(peers)) == {b"ping"}, "their bytes count as activity")
