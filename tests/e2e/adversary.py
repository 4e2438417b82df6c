"""A scriptable TCP adversary: thousands of raw, non-blocking sockets on one thread, on both sides
of penstock.

Each connection is a Peer driven by a script: a generator function of the peer that acts through
`yield from peer.send(...)` and the like, each with a deadline. What the script returns, or the
exception that ended it, is the peer's outcome; the socket is closed when the script ends. A script
that is a plain function acts at once. Scripts and sockets belong to the adversary's thread; tests
read outcomes and open gates.
"""
import collections
import ctypes
import dataclasses
import errno
import hashlib
import heapq
import itertools
import os
import resource
import select
import socket
import ssl
import struct
import threading
import time

import clients
import fleet
from suite import until

READ, WRITE = select.EPOLLIN | select.EPOLLRDHUP, select.EPOLLOUT
TIMEOUT = 20.0
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): the port is chosen at connect(), per destination
SO_ATTACH_FILTER = 26  # socket(7)
BPF_RETURN = 6  # linux/bpf_common.h; returns how many bytes of the packet are kept


class TooLate(Exception):
    """A step of a script did not end by its deadline."""


def raise_descriptor_limit():
    """As many descriptors as this process may have; returns how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Gate:
    """What scripts wait for and the test opens, once."""

    def __init__(self, adversary):
        self._adversary = adversary
        self._waiting = []
        self.opened = False

    def open(self):
        self._adversary.call(self._open)

    def _open(self):
        self.opened = True
        for peer in self._waiting:
            self._adversary.resume(peer, True)
        self._waiting.clear()

    def add(self, peer):
        self._waiting.append(peer)


class Peer:
    """One connection. The functions with `within` are generators for `yield from` in a script."""

    def __init__(self, adversary, script, connection=None):
        self.socket = connection
        self.outcome = None
        self.done = False
        self.received = 0  # bytes so far; for tests to look at while the script runs
        self.tls = None
        self.number = 0  # of the wait it is in, so that an old timer means nothing
        self.waiting = 0
        self.registered = None
        self.started = time.monotonic()
        self._adversary = adversary
        self._script = script

    # -- steps of scripts --------------------------------------------------------------------------

    def connect(self, address, source=None, receive_buffer=None, within=TIMEOUT):
        deadline = time.monotonic() + within
        family, target = clients.parse(address)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            self.socket.bind((source, 0))
        error = self.socket.connect_ex(target)
        if error == errno.EINPROGRESS:
            yield from self._wait(WRITE, deadline, f"connecting to {address}")
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data, piece=None, pause=0.0, within=TIMEOUT):
        """Sends all of it, in pieces of at most `piece` bytes with pauses between them."""
        deadline = time.monotonic() + within
        left = memoryview(data)
        while left:
            try:
                left = left[self.socket.send(left[:piece]) :]
            except BlockingIOError:
                yield from self._wait(WRITE, deadline, f"sending the last {len(left)} bytes")
                continue
            if pause and left:
                yield from self.hold(pause)

    def receive(self, size, within=TIMEOUT):
        """Exactly `size` bytes; EOFError when the stream ends before."""
        deadline = time.monotonic() + within
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.socket.recv(min(size - len(data), clients.BULK))
            except BlockingIOError:
                yield from self._wait(READ, deadline, f"byte {len(data)} of {size}")
                continue
            if not piece:
                raise EOFError(f"the stream ended after {len(data)} of {size} bytes")
            data += piece
            self.received += len(piece)
        return bytes(data)

    def until_end(self, piece=clients.BULK, pause=0.0, within=TIMEOUT):
        """Reads until the stream ends; returns clients.Received with the end "fin" or "reset"."""
        deadline = time.monotonic() + within
        digest = hashlib.sha256()
        size = 0
        while True:
            try:
                data = self.socket.recv(piece)
            except BlockingIOError:
                yield from self._wait(READ, deadline, f"the end, {size} bytes so far")
                continue
            except (ConnectionResetError, BrokenPipeError):
                return clients.Received(size, digest.hexdigest(), "reset")
            if not data:
                return clients.Received(size, digest.hexdigest(), "fin")
            digest.update(data)
            size += len(data)
            self.received += len(data)
            if pause:
                yield from self.hold(pause)

    def echo(self, within=TIMEOUT):
        """Sends back what comes until the end, then ends its own direction; returns the size."""
        size = 0
        deadline = time.monotonic() + within
        while True:
            try:
                data = self.socket.recv(clients.BULK)
            except BlockingIOError:
                yield from self._wait(READ, deadline, f"bytes to echo, {size} so far")
                continue
            if not data:
                self.half_close()
                return size
            size += len(data)
            self.received += len(data)
            yield from self.send(data)

    def handshake(self, context, name="penstock.test", within=TIMEOUT):
        """A TLS handshake as a client; afterwards encrypted() gives records to send."""
        deadline = time.monotonic() + within
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                yield from self.send(self._outgoing.read(), within=within)
            try:
                self._incoming.write(self.socket.recv(clients.BULK))
            except BlockingIOError:
                yield from self._wait(READ, deadline, "the server's part of the handshake")
        yield from self.send(self._outgoing.read(), within=within)

    def encrypted(self, data):
        self.tls.write(data)
        return self._outgoing.read()

    def hold(self, seconds):
        """Neither reads nor writes for so long."""
        yield 0, time.monotonic() + seconds

    def hold_until(self, gate):
        """Neither reads nor writes until the gate opens."""
        if not gate.opened:
            gate.add(self)
            yield 0, None

    def urgent(self, byte):
        self.socket.send(byte, socket.MSG_OOB)

    def go_deaf(self):
        """From now on this side's kernel drops whatever comes, as if the cable were cut: nothing is
        acknowledged and no probe is answered.
        """
        instructions = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
        program = struct.pack("HP", 1, ctypes.addressof(instructions))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        clients.reset(self.socket)

    def _wait(self, events, deadline, what):
        if not (yield events, deadline):
            seconds = time.monotonic() - self.started
            raise TooLate(f"{what}: not within its deadline, {seconds:.1f} s after its start")

    # -- of the adversary --------------------------------------------------------------------------

    def begin(self):
        steps = self._script(self)
        if steps is None:  # a plain function, which has done all it does
            self._end(None)
            return None
        self._script = steps
        return self.go_on(None)

    def go_on(self, ready):
        """Runs the script to its next wait: (events, deadline), or None when it has ended."""
        self.number += 1
        try:
            return self._script.send(ready)
        except StopIteration as end:
            self._end(end.value)
        except Exception as error:
            self._end(error)
        return None

    def end_early(self):
        if hasattr(self._script, "close"):
            self._script.close()
        self._end(self.outcome)

    def _end(self, outcome):
        self.outcome = outcome
        self.done = True
        if self.socket is not None:
            self.socket.close()


class Server:
    """A listening socket whose connections run a script each; a backend for Context.front()."""

    def __init__(self, adversary, script, name, address, options):
        self.name = name
        self.script = script
        self.peers = []
        self.expected = options.expected
        self.errors = []
        self.listener = fleet.listen(address or f"{fleet.next_host()}:0", options.backlog)
        if options.receive_buffer:
            self.listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer
            )
        self.listener.setblocking(False)
        self.address = fleet.address_of(self.listener)

    @property
    def accepted(self):
        return len(self.peers)

    def verify(self):
        for peer in self.peers:
            if isinstance(peer.outcome, Exception) and not isinstance(peer.outcome, self.expected):
                raise AssertionError(f"backend {self.name}: {peer.outcome!r}")


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    backlog: int = 4096
    receive_buffer: int = 0
    expected: tuple = ()  # exceptions of the script that are part of the test


class Adversary:
    """The thread and its loop. Made by a test and closed with it.

    With a namespace (namespace.py), all of its sockets are made in there.
    """

    def __init__(self, context, namespace=None):
        raise_descriptor_limit()
        self._context = context
        self._epoll = select.epoll()
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll.register(self._event, select.EPOLLIN)
        self._calls = collections.deque()
        self._timers = []
        self._numbers = itertools.count()
        self._by_fd = {}  # descriptor -> Peer or Server
        self._peers = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, args=(namespace,), daemon=True)
        self._thread.start()
        context.defer(self.close)

    # -- for tests ---------------------------------------------------------------------------------

    def clients(self, scripts):
        """A peer for each of these scripts, all started at once."""
        peers = [Peer(self, script) for script in scripts]

        def start():
            for peer in peers:
                self._start(peer)

        self.call(start)
        return peers

    def client(self, script):
        return self.clients([script])[0]

    def server(self, script, name="py", address=None, **options):
        made = []

        def make():
            server = Server(self, script, name, address, ServerOptions(**options))
            self._by_fd[server.listener.fileno()] = server
            self._epoll.register(server.listener.fileno(), select.EPOLLIN)
            made.append(server)

        self.call(make, wait=True)
        self._context.backends.append(made[0])
        return made[0]

    def gate(self):
        return Gate(self)

    def outcomes(self, peers, seconds=TIMEOUT):
        """What these peers' scripts returned, once all have ended; raises the first exception."""
        until(lambda: all(peer.done for peer in peers), seconds, "every script has ended", 0.02)
        for peer in peers:
            if isinstance(peer.outcome, Exception):
                raise peer.outcome
        return [peer.outcome for peer in peers]


    def call(self, function, wait=False):
        """Runs the function on the adversary's thread."""
        done = threading.Event()

        def run():
            try:
                function()
            finally:
                done.set()

        self._calls.append(run)
        os.eventfd_write(self._event, 1)
        if wait and not done.wait(TIMEOUT):
            raise TimeoutError("the adversary's thread does not answer")

    def close(self):
        self._stopping = True
        self.call(lambda: None)
        self._thread.join(10)

    # -- the loop ----------------------------------------------------------------------------------

    def _run(self, namespace):
        if namespace is not None:
            namespace.enter()
        while not self._stopping:
            for fd, events in self._epoll.poll(self._next_timeout(), 1024):
                self._on_event(fd, events)
            while self._calls:
                self._calls.popleft()()
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                _, _, peer, number = heapq.heappop(self._timers)
                if peer.number == number and not peer.done:
                    self.resume(peer, False)
        for peer in self._peers:
            if not peer.done:
                peer.end_early()
        for owner in self._by_fd.values():
            if isinstance(owner, Server):
                owner.listener.close()
        self._epoll.close()
        os.close(self._event)

    def _next_timeout(self):
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _on_event(self, fd, events):
        if fd == self._event:
            try:
                os.eventfd_read(self._event)
            except BlockingIOError:
                pass  # read with an earlier one
            return
        owner = self._by_fd.get(fd)
        if isinstance(owner, Server):
            self._accept(owner)
        elif owner is not None and owner.waiting:
            self.resume(owner, True)

    def _accept(self, server):
        for _ in range(256):
            try:
                connection, _ = server.listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, server.script, connection)
            server.peers.append(peer)
            self._start(peer)

    def _start(self, peer):
        self._peers.append(peer)
        self._arm(peer, peer.begin())

    def resume(self, peer, ready):
        if not peer.done:
            self._arm(peer, peer.go_on(ready))

    def _arm(self, peer, wanted):
        """Waits for what the script wants. An event is told once (EPOLLONESHOT), so that a peer
        that only holds does not wake the loop.
        """
        if wanted is None:
            self._by_fd.pop(peer.registered, None)
            return
        peer.waiting, deadline = wanted
        if deadline is not None:
            heapq.heappush(self._timers, (deadline, next(self._numbers), peer, peer.number))
        if not peer.waiting:
            return
        mask = peer.waiting | select.EPOLLONESHOT
        if peer.registered is None:
            peer.registered = peer.socket.fileno()
            self._by_fd[peer.registered] = peer
            self._epoll.register(peer.registered, mask)
        else:
            self._epoll.modify(peer.registered, mask)


def visit(address, source=None):
    """The script of a short, polite session with an echo server; returns the answer to "ping"."""

    def script(peer):
        yield from peer.connect(address, source)
        yield from peer.send(b"ping")
        answer = yield from peer.receive(4)
        peer.half_close()
        yield from peer.until_end()
        return answer

    return script
