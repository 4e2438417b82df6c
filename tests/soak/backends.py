"""The backends of a soak: one that does what the first byte of a connection asks for, and that can
be killed and brought back at its address; and nginx, killed and started again.
"""
import ctypes
import hashlib
import threading
import time

import clients
import fleet

# What the first byte of a connection asks for.
ECHO = b"E"  # send back what comes
BULK = b"B"  # send BULK_SIZE bytes of Payload, then FIN
TAKE = b"T"  # read to the end, then answer with the digest of it
STALL = b"S"  # the same, but read nothing for STALL_SECONDS first
RESET = b"R"  # send some bytes, then reset
FIRST = b"F"  # send an end of stream at once, then read to the end

BULK_SIZE = 4 << 20
STALL_SECONDS = 2.0
_libc = ctypes.CDLL(None, use_errno=True)


def disconnect(connection):
    """Resets a connection that another thread may be waiting on: connect(2) to AF_UNSPEC, which
    wakes that thread. A close would wait for it, and shutdown(2) would send a clean end.
    """
    _libc.connect(connection.fileno(), b"\0" * 16, 16)


def serve(stream):
    """Handler: returns nothing, since nobody looks; what is wrong shows at the client."""
    asked = stream.recv(1)
    if asked == ECHO:
        fleet.echo(stream)
    elif asked == BULK:
        clients.Payload(BULK_SIZE).send(stream)
        stream.finish()
        clients.drain(stream)
    elif asked in (TAKE, STALL):
        take(stream, STALL_SECONDS if asked == STALL else 0)
    elif asked == RESET:
        stream.sendall(b"y" * 30000)
        stream.reset()
    elif asked == FIRST:
        stream.finish()
        clients.drain(stream)


def take(stream, pause):
    time.sleep(pause)  # the stimulus itself: a peer that does not read
    digest = hashlib.sha256()
    while data := stream.recv():
        digest.update(data)
    stream.sendall(digest.hexdigest().encode())
    stream.finish()


class Nobody:
    """Takes the results of handlers and drops them: a soak would gather millions."""

    def put(self, _result):
        pass


class Server(fleet.Backend):
    """serve() on a thread per connection."""

    def __init__(self, context, name, address=None):
        super().__init__(context, serve, name, address, expected=(OSError,))
        self.results = Nobody()

    def kill(self):
        """As if its machine had lost power and answered with resets afterwards."""
        self._listener.shutdown(2)
        self._listener.close()
        for connection in list(self._open):
            if connection.fileno() >= 0:
                disconnect(connection)


class Flapping:
    """Kills one backend after the other and brings it back, so that at most one is away."""

    def __init__(self, context, servers, nginxes, period, stop):
        self._context = context
        self._servers = servers
        self._nginxes = nginxes
        self._period = period
        self._stop = stop
        self._lock = threading.Lock()
        self.kills = 0

    def run(self):
        turn = 0
        while not self._stop.wait(self._period):
            turn += 1
            if turn % 2:
                self._flap_server(turn // 2 % len(self._servers))
            else:
                self._flap_nginx(self._nginxes[turn // 2 % len(self._nginxes)])
            self.kills += 1

    def _flap_server(self, index):
        old = self._servers[index]
        old.kill()
        self._stop.wait(self._period / 4)
        old.verify()
        self._context.backends.remove(old)
        self._servers[index] = Server(self._context, old.name, old.address)

    def _flap_nginx(self, nginx):
        nginx.kill()
        self._stop.wait(self._period / 4)
        nginx.start()
