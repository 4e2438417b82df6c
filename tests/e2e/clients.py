"""Byte streams for both sides of penstock: plain and TLS sockets behind one interface, payloads and
their digests.

TLS runs over ssl.MemoryBIO with the socket loop here, because Python's own SSLSocket cannot half-
close: after finish() (close_notify sent) reading goes on. One thread may send while another
receives. recv() returns b"" at a clean end only; a reset raises ConnectionResetError and a TLS
stream that ends without close_notify raises Truncated.
"""
import dataclasses
import fcntl
import hashlib
import random
import socket
import ssl
import struct
import termios
import threading
import time

import pace

TIMEOUT = 20.0
BULK = 256 << 10
KINDS = ("plain", "tls12", "tls13")


class Truncated(Exception):
    """A TLS stream ended with a FIN but without close_notify."""


def parse(address):
    """ "127.0.0.1:80", "[::1]:80" or "unix:/path" as (family, what connect() takes)."""
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[5:]
    host, port = address.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def connect(address, source=None, timeout=TIMEOUT, receive_buffer=None):
    """A connected socket, from the given source address if any."""
    family, target = parse(address)
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            connection.bind((source, 0))
        connection.connect(target)
        if family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def closed_unserved(address):
    """Connects and reads: true when the connection is closed or reset without a byte."""
    try:
        with Stream(connect(address)) as stream:
            return drain(stream).size == 0
    except ConnectionResetError:
        return True  # even before connect() returned


class Stream:
    """A plain stream."""

    def __init__(self, connection):
        self.socket = connection

    def sendall(self, data):
        self.socket.sendall(data)

    def recv(self, size=BULK):
        return self.socket.recv(size)

    def finish(self):
        """Ends this side's direction; the other goes on."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        reset(self.socket)

    def outq(self):
        return outq(self.socket)

    def exactly(self, size):
        """The next `size` bytes; fails when the stream ends before."""
        pieces = []
        while size:
            piece = self.recv(min(size, BULK))
            if not piece:
                raise EOFError(f"the stream ended {size} bytes early")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TlsStream(Stream):
    """A TLS stream, a client's unless `server_side`. The constructor does the handshake."""

    def __init__(self, connection, context, server_name="penstock.test", server_side=False):
        super().__init__(connection)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side,
                                    None if server_side else server_name)
        self._engine = threading.Lock()  # OpenSSL objects are not for two threads at once
        self._sending = threading.Lock()  # keeps records in order on the socket
        self._plain = bytearray()  # decrypted and not yet taken
        self._end = None  # how the stream ended: what recv() then returns or raises
        self._shaken = False
        while not self._try_handshake():
            self._feed()
        self._shaken = True

    def _try_handshake(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()

    def _flush(self):
        data = self._outgoing.read()
        if data:
            self.socket.sendall(data)

    def _feed(self):
        data = self.socket.recv(BULK)
        with self._engine:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
                if not self._shaken:
                    raise EOFError("the peer left during the handshake")

    def sendall(self, data):
        view = memoryview(data)
        for start in range(0, len(view), BULK):
            self._send_piece(view[start : start + BULK])

    def _send_piece(self, piece):
        with self._sending:
            with self._engine:
                self.tls.write(piece)
                records = self._outgoing.read()
            self.socket.sendall(records)

    def encrypt(self, data):
        """The records of `data`, for a caller who sends them in its own way."""
        with self._engine:
            self.tls.write(data)
            return self._outgoing.read()

    def recv(self, size=BULK):
        while not self._plain:
            if self._end is not None:
                return self._end()
            if not self._decrypt():
                self._feed()
        data = bytes(memoryview(self._plain)[:size])
        del self._plain[:size]
        return data

    def _decrypt(self):
        """Takes all that can be decrypted now; false when more must come from the socket first."""
        with self._engine:
            before = len(self._plain)
            try:
                while piece := self.tls.read(BULK):
                    self._plain += piece
                self._end = bytes
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                self._end = bytes
            except ssl.SSLError as error:
                if error.reason != "UNEXPECTED_EOF_WHILE_READING":
                    raise
                self._end = truncated
            return len(self._plain) > before or self._end is not None

    def finish(self):
        """Sends close_notify and keeps the socket open, so that the other direction goes on.

        What has come is decrypted before, because OpenSSL's shutdown refuses to meet data.
        """
        self._decrypt()
        with self._sending:
            with self._engine:
                later = self._incoming.read()
                try:
                    self.tls.unwrap()
                except (ssl.SSLWantReadError, ssl.SSLSyscallError):
                    pass  # sent; the peer's own close_notify is not here yet
                self._incoming.write(later)
                records = self._outgoing.read()
            self.socket.sendall(records)


def truncated():
    raise Truncated()


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def outq(connection):
    """Bytes that the peer's kernel has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0]


def wait_acknowledged(stream, seconds=TIMEOUT):
    """Until SIOCOUTQ is 0. True when that was seen in time."""
    deadline = time.monotonic() + seconds
    while stream.outq():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def open_stream(kind, address, shared, **options):
    """A connected stream of one of KINDS."""
    connection = connect(address, **options)
    if kind == "plain":
        return Stream(connection)
    try:
        return TlsStream(connection, shared.client_context(kind))
    except BaseException:
        connection.close()
        raise


@dataclasses.dataclass(frozen=True)
class Received:
    """What came until the end, and how it ended: fin, reset or truncated."""

    size: int
    digest: str
    end: str


def drain(stream, limit=None, chunk=lambda: BULK):
    """Reads to the end, or until `limit` bytes came (end "limit")."""
    digest = hashlib.sha256()
    size = 0
    end = "limit"
    while limit is None or size < limit:
        wanted = chunk() if limit is None else min(chunk(), limit - size)
        try:
            data = stream.recv(wanted)
        except (ConnectionResetError, BrokenPipeError):
            end = "reset"
            break
        except Truncated:
            end = "truncated"
            break
        if not data:
            end = "fin"
            break
        digest.update(data)
        size += len(data)
    return Received(size, digest.hexdigest(), end)


class Payload:
    """`size` bytes, the same in every run: rounds of one random block, each after its own
    number.
    """

    _block = None
    _digests = {}

    def __init__(self, size):
        self.size = size
        if Payload._block is None:
            Payload._block = random.Random(1).randbytes((8 << 20) - 13)

    def pieces(self, largest=BULK, seed=None):
        """The bytes in pieces of at most `largest`; with a seed, in random sizes."""
        sizes = random.Random(seed)
        left = self.size
        number = 0
        while left:
            block = memoryview(struct.pack(">Q", number) + Payload._block)[:left]
            left -= len(block)
            number += 1
            start = 0
            while start < len(block):
                end = start + (largest if seed is None else sizes.randint(1, largest))
                yield block[start:end]
                start = end

    def send(self, stream, **options):
        for piece in self.pieces(**options):
            stream.sendall(piece)

    @property
    def digest(self):
        if self.size not in Payload._digests:
            digest = hashlib.sha256()
            for piece in self.pieces(8 << 20):
                digest.update(piece)
            Payload._digests[self.size] = digest.hexdigest()
        return Payload._digests[self.size]


class Parallel:
    """Functions on threads of their own; join() returns their results and raises the first
    exception.
    """

    def __init__(self):
        self._threads = []
        self._results = []

    def start(self, function, *arguments, **options):
        index = len(self._results)
        self._results.append(None)

        def run():
            try:
                self._results[index] = (function(*arguments, **options), None)
            except Exception as error:
                self._results[index] = (None, error)

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def running(self):
        return any(thread.is_alive() for thread in self._threads)

    def join(self, seconds=60.0):
        seconds = pace.slow(seconds)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise TimeoutError(f"a helper thread did not end within {seconds} s")
        for _, error in self._results:
            if error is not None:
                raise error
        return [value for value, _ in self._results]


def parallel(function, items, seconds=60.0):
    """function(item) for every item, each on a thread of its own."""
    group = Parallel()
    for item in items:
        group.start(function, item)
    return group.join(seconds)
