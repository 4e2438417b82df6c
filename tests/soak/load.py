"""The load of a soak: what clients do, good and bad, one function each. A Worker repeats one of
them at a bounded rate on a thread of its own; the rates are fixed: the load is stationary.

An action fails the soak by raising Wrong: bytes that differ, or a clean end where one was not sent.
That a session is reset is no fault, because backends are killed all the time.
"""
import hashlib
import random
import socket
import subprocess
import threading
import time

import backends
import clients
import fleet

BROKEN_OFF = (OSError, EOFError, clients.Truncated)  # ssl.SSLError is an OSError
LONG_SECONDS = 40
LONG_SESSIONS = 30
SILENT_SECONDS = 15


class Wrong(Exception):
    """What no fault of the network explains."""


class Load:
    """Where the load goes, and what it has seen."""

    def __init__(self, context, penstock, stop):
        self.shared = context.shared
        self.penstock = penstock
        self.stop = stop
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.addresses = {
            name: penstock.address(name) for name in ("web", "https", "plain", "secure")
        }

    def open(self, kind, **options):
        """A stream to the servers of backends.py."""
        address = self.addresses["plain" if kind == "plain" else "secure"]
        return clients.open_stream(kind, address, self.shared, **options)

    def raw(self, listener="secure"):
        """A socket that speaks no TLS to a listener that does."""
        return clients.connect(self.addresses[listener])


class Worker:
    """Repeats action(load, random) every `period` seconds, or as quickly as it ends."""

    def __init__(self, load, action, period, seed):
        self.action = action
        self.name = action.__name__
        self.period = period
        self.done = 0
        self.broken_off = 0
        self.wrong = []
        self._load = load
        self._random = random.Random(f"{self.name} {seed}")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        due = time.monotonic() + self._random.random() * self.period
        while not self._load.stop.wait(max(0.0, due - time.monotonic())):
            if not self._load.open_gate.wait(0.1):
                continue  # the load holds its breath
            due = max(due + self.period, time.monotonic())
            try:
                self.action(self._load, self._random)
                self.done += 1
            except BROKEN_OFF:
                self.broken_off += 1
            except Exception as error:
                self.wrong.append(f"{self.name}: {type(error).__name__}: {error}")

    def join(self, seconds):
        self._thread.join(seconds)
        return not self._thread.is_alive()


def any_kind(chance):
    return chance.choice(clients.KINDS)


# -- good clients --------------------------------------------------------------------------------


def short_plain(load, _chance):
    answer = fleet.get(load.addresses["web"])
    if answer not in ("a", "b", "c", None):
        raise Wrong(f"an answer of nobody: {answer!r}")


def short_tls(load, chance):
    kind = chance.choice(("tls12", "tls13"))
    with clients.open_stream(kind, load.addresses["https"], load.shared) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: penstock.test\r\nConnection: close\r\n\r\n")
        clients.drain(stream)
        stream.finish()


def download(load, chance):
    payload = clients.Payload(backends.BULK_SIZE)
    with load.open(any_kind(chance)) as stream:
        stream.sendall(backends.BULK)
        received = clients.drain(stream)
        if received.end == "fin" and received.size > 0:
            expect_same(received, payload)
        stream.finish()


def expect_same(received, payload):
    if (received.size, received.digest) != (payload.size, payload.digest):
        raise Wrong(f"{received} instead of {payload.size} bytes {payload.digest}")


def upload(load, chance, command=backends.TAKE, size=3 << 20):
    """Sends `size` bytes and half-closes; the other side answers with what it got."""
    block = chance.randbytes(size)
    with load.open(any_kind(chance)) as stream:
        stream.sendall(command)
        stream.sendall(block)
        stream.finish()
        answer = clients.Parallel()
        answer.start(stream.exactly, 64)
        digest = answer.join()[0].decode()
        if digest != hashlib.sha256(block).hexdigest():
            raise Wrong(f"{size} bytes arrived with another digest")
        clients.drain(stream)


def upload_stalled(load, chance):
    upload(load, chance, backends.STALL, 1 << 20)


def half_closed_by_backend(load, chance):
    with load.open(any_kind(chance)) as stream:
        stream.sendall(backends.FIRST)
        if clients.drain(stream).size:
            raise Wrong("bytes from a backend that sent none")
        stream.sendall(b"x" * 5000)
        stream.finish()


def long(load, chance):
    """A session of LONG_SECONDS with a small exchange now and then."""
    with load.open(any_kind(chance)) as stream:
        stream.sendall(backends.ECHO)
        until = time.monotonic() + LONG_SECONDS
        while time.monotonic() < until and not load.stop.wait(2 + chance.random()):
            message = chance.randbytes(200)
            stream.sendall(message)
            if stream.exactly(len(message)) != message:
                raise Wrong("an echo of other bytes")
        stream.finish()
        clients.drain(stream)


def silent(load, chance):
    """A session that idle_timeout ends."""
    with load.open(any_kind(chance)) as stream:
        stream.sendall(backends.ECHO)
        stream.socket.settimeout(SILENT_SECONDS)
        clients.drain(stream)


def wrk(load, _chance):
    url = f"http://{load.addresses['web']}/"
    command = ["wrk", "-t1", "-c16", "-d2s", url]
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)


# -- slow and bad clients ------------------------------------------------------------------------


def slow_reader(load, chance):
    payload = clients.Payload(backends.BULK_SIZE)
    with load.open(any_kind(chance), receive_buffer=16 << 10) as stream:
        stream.sendall(backends.BULK)
        until = time.monotonic() + 5
        while time.monotonic() < until and not load.stop.wait(0.05):
            stream.recv(2048)
        if chance.random() < 0.5:
            return stream.reset()
        received = clients.drain(stream)
        if received.end == "fin" and received.size > payload.size:
            raise Wrong(f"{received}: more than was sent")


def reset_by_client(load, chance):
    stream = load.open(any_kind(chance))
    try:
        stream.sendall(chance.choice((backends.ECHO, backends.BULK)))
        stream.sendall(b"w" * chance.randrange(1, 100_000))
        stream.recv(1)
    finally:
        stream.reset()


def reset_by_backend(load, chance):
    with load.open(any_kind(chance)) as stream:
        stream.sendall(backends.RESET)
        if clients.drain(stream).end == "fin":
            raise Wrong("a reset arrived as a clean end")


def truncated(load, chance):
    """A TLS client that goes without close_notify."""
    with load.open(chance.choice(("tls12", "tls13"))) as stream:
        stream.sendall(backends.ECHO + b"x" * 100)
        stream.exactly(100)


def garbage(load, chance):
    """What is not TLS, or no longer, on the TLS port."""
    with load.raw() as connection:
        kind = chance.randrange(4)
        if kind == 0:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: penstock.test\r\n\r\n")
        elif kind == 1:
            connection.sendall(chance.randbytes(chance.randrange(1, 3000)))
        elif kind == 2:
            connection.sendall(b"\x16\x03\x01\x40\x00" + chance.randbytes(2000))
        else:
            connection.sendall(client_hello(load)[: chance.randrange(1, 200)])
            connection.shutdown(socket.SHUT_WR)
        clients.drain(clients.Stream(connection))


def garbage_later(load, chance):
    """A bad record after a good handshake."""
    with load.open(chance.choice(("tls12", "tls13"))) as stream:
        stream.sendall(backends.ECHO + b"x" * 100)
        stream.exactly(100)
        stream.socket.sendall(b"\x17\x03\x03\x00\x40" + chance.randbytes(64))
        clients.drain(clients.Stream(stream.socket))


def client_hello(load):
    """The first bytes of a client, as its library writes them."""
    context = load.shared.client_context("tls13")
    outgoing = clients.ssl.MemoryBIO()
    engine = context.wrap_bio(clients.ssl.MemoryBIO(), outgoing, server_hostname="penstock.test")
    try:
        engine.do_handshake()
    except clients.ssl.SSLWantReadError:
        pass
    return outgoing.read()


def half_open(load, chance):
    """A handshake that is begun and not finished: handshake_timeout ends it, or the client goes."""
    with load.raw() as connection:
        connection.sendall(client_hello(load)[: chance.choice((1, 50, 10_000))])
        if chance.random() < 0.5:
            clients.drain(clients.Stream(connection))


# action, workers, seconds between two runs of one worker: what a tenth of a core in penstock does
MIX = (
    (short_plain, 4, 0.2),
    (short_tls, 4, 0.3),
    (download, 2, 1.5),
    (upload, 2, 1.5),
    (upload_stalled, 1, 4),
    (half_closed_by_backend, 1, 0.5),
    (long, LONG_SESSIONS, 5),
    (silent, 3, 1),
    (slow_reader, 3, 1),
    (reset_by_client, 2, 0.3),
    (reset_by_backend, 2, 0.3),
    (truncated, 1, 0.5),
    (garbage, 2, 0.5),
    (garbage_later, 1, 0.5),
    (half_open, 4, 1),
    (wrk, 1, 20),
)


def start(load):
    return [
        Worker(load, action, period, number)
        for action, workers, period in MIX
        for number in range(workers)
    ]
