"""What stands behind penstock: nginx processes, and servers in Python for what no real server can
be made to do.

Every backend has a loopback address of its own (127.1.0.N), which no client uses as its source, so
a port that a killed backend leaves free is still free when it comes back. Ports come from the
kernel: bound to 0, read, and given to the server, which nobody can race because the address is the
server's own.
"""
import http.client
import itertools
import os
import pathlib
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import traceback

import clients
import pace

_numbers = itertools.count(1)


def next_host():
    """A loopback address that no other backend of this run has."""
    number = next(_numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def listen(address, backlog=1024):
    """A listening socket; port 0 lets the kernel choose."""
    family, target = clients.parse(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family != socket.AF_UNIX:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(target)
    listener.listen(backlog)
    return listener


def address_of(listener):
    if listener.family == socket.AF_UNIX:
        return "unix:" + listener.getsockname()
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"


def refused_address():
    """An address where nobody listens; nothing else of the run takes it, because its host is its
    own.
    """
    with listen(f"{next_host()}:0") as listener:
        return address_of(listener)


def fill_backlog(context, address):
    """A listener that never accepts and whose backlog is full: the next connect hangs (TCP) or
    gets EAGAIN (unix).
    """
    listener = listen(address, backlog=0)
    context.defer(listener.close)
    family, target = clients.parse(address_of(listener))
    for _ in range(16):
        filler = socket.socket(family, socket.SOCK_STREAM)
        context.defer(filler.close)
        filler.settimeout(0.15)
        try:
            filler.connect(target)
        except (TimeoutError, BlockingIOError):
            return address_of(listener)
    raise RuntimeError(f"the backlog of {address} does not fill")


class Shared:
    """What all tests of a run use: a folder and certificates, made when first asked for."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="penstock-e2e-"))
        self._certificates = None
        self._making = threading.Lock()  # tests start penstocks on several threads
        self._contexts = {}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def ca(self):
        return self.certificates() / "ca.pem"

    def certificates(self):
        """A folder with ca.pem, server.pem (leaf and CA) and server.key, for penstock.test and
        127.0.0.1.
        """
        with self._making:
            if self._certificates is None:
                self._certificates = make_certificates(self.dir / "certificates")
            return self._certificates

    def tls(self, **options):
        """The `tls` table of a listener."""
        folder = self.certificates()
        return {
            "certificates": [{"chain": folder / "server.pem", "key": folder / "server.key"}]
        } | options

    def client_context(self, kind):
        """A verifying client context that speaks one TLS version only."""
        if kind not in self._contexts:
            context = ssl.create_default_context(cafile=str(self.ca))
            version = ssl.TLSVersion.TLSv1_2 if kind == "tls12" else ssl.TLSVersion.TLSv1_3
            context.minimum_version = context.maximum_version = version
            context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a FIN without close_notify must show
            self._contexts[kind] = context
        return self._contexts[kind]


def make_certificates(folder):
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(
            ["openssl", *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=pace.slow(30),
        )

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    (folder / "leaf.ext").write_text(
        "subjectAltName = DNS:penstock.test, IP:127.0.0.1\nbasicConstraints = CA:FALSE\n"
        "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
    )
    openssl(
        "req",
        "-x509",
        *key,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=penstock test CA",
        "-addext",
        "keyUsage = critical, keyCertSign, cRLSign",  # Python 3.13 wants it
        "-days",
        "30",
    )
    openssl(
        "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=penstock.test"
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-out",
        "leaf.pem",
        "-extfile",
        "leaf.ext",
    )
    (folder / "server.pem").write_text(
        (folder / "leaf.pem").read_text() + (folder / "ca.pem").read_text()
    )
    return folder


NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {address} backlog=4096;
    location / {{ return 200 "{name}\\n"; }}
    location /healthz {{ return 200 "healthy\\n"; }}
  }}
}}
"""


class Nginx:
    """A real nginx that answers every request with its name."""

    def __init__(self, context, name, address=None):
        self.name = name
        self.errors = []
        self.folder = context.dir / f"nginx-{name}"
        self.folder.mkdir()
        with listen(address or f"{next_host()}:0") as listener:
            self.address = address_of(listener)
        self.process = None
        context.backends.append(self)
        context.defer(self.kill)
        self.start()

    def start(self):
        if self.address.startswith("unix:"):
            pathlib.Path(self.address[5:]).unlink(missing_ok=True)
        (self.folder / "nginx.conf").write_text(NGINX.format(address=self.address, name=self.name))
        command = ["nginx", "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + pace.slow(10)
        while get(self.address) != self.name:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx {self.name} does not answer: {self._error_log()}")
            time.sleep(0.01)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def _error_log(self):
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def verify(self):
        alerts = [
            line
            for line in self._error_log().splitlines()
            if "[alert]" in line or "[emerg]" in line
        ]
        if alerts:
            raise AssertionError(f"nginx {self.name}: {alerts[0]}")


def nginx_fleet(context, names=("a", "b", "c")):
    return [Nginx(context, name) for name in names]


class Backend:
    """A server in Python: handler(stream) on a thread per connection; what it returns goes to
    `results`.
    """

    def __init__(self, context, handler, name="py", address=None, expected=(), receive_buffer=None):
        self.name = name
        self.handler = handler
        self.errors = []
        self.expected = tuple(expected)  # exceptions of the handler that are part of the test
        self.results = queue.Queue()
        self.accepted = 0
        self._listener = listen(address or f"{next_host()}:0")
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.address = address_of(self._listener)
        self._open = set()
        context.backends.append(self)
        context.defer(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed by the test
            self.accepted += 1
            connection.settimeout(clients.TIMEOUT)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.results.put(self.handler(clients.Stream(connection)))
        except self.expected as error:
            self.results.put(error)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-2)}")
            self.results.put(error)
        finally:
            self._open.discard(connection)
            connection.close()

    def result(self, seconds=clients.TIMEOUT):
        """What the next ended connection's handler returned."""
        return self.results.get(timeout=pace.slow(seconds))

    def close(self):
        for connection in [self._listener, *self._open]:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected any more
            connection.close()

    def verify(self):
        if self.errors:
            raise AssertionError(f"backend {self.name}: {self.errors[0]}")


class TlsBackend(Backend):
    """The same, but it ends TLS by `context` first: handler(TlsStream)."""

    def __init__(self, context, handler, tls, **options):
        def secured(stream):
            return handler(clients.TlsStream(stream.socket, tls, server_side=True))

        super().__init__(context, secured, **options)


def server_context(identity, **options):
    """A server's SSLContext with this chain and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    for key, value in options.items():
        setattr(context, key, value)
    return context


def echo(stream):
    """Handler: sends back what comes, until the end. Returns how many bytes that were."""
    size = 0
    while True:
        data = stream.recv()
        if not data:
            stream.finish()
            return size
        stream.sendall(data)
        size += len(data)


def get(address, source=None, path="/", timeout=clients.TIMEOUT):
    """The body of one plain HTTP request on a connection of its own, without the final newline;
    None when it fails.
    """
    try:
        with clients.connect(address, source, timeout) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: penstock.test\r\nConnection: close\r\n\r\n".encode()
            )
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.read().decode().strip()
    except (OSError, http.client.HTTPException):
        return None


def curl(*arguments, seconds=20):
    """Runs curl; returns the finished process with text output."""
    seconds = pace.slow(seconds)
    command = ["curl", "--silent", "--show-error", "--max-time", str(seconds), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds + 5, check=False)
