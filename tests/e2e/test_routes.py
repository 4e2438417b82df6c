"""Routes by what a ClientHello asks for: passed on without being decrypted, or ended here."""
import functools
import socket
import ssl
import time

import clients
import fleet
import hello as hellos
import suite
from suite import expect, until

test = functools.partial(suite.test, tiers=("full", "plain"))


def tls_backend(t, name, **options):
    """Ends TLS itself and answers every line with its name and the protocol agreed on."""

    def serve(stream):
        protocol = stream.tls.selected_alpn_protocol() or "-"
        while line := stream.recv(4096):
            stream.sendall(f"{name} {protocol} ".encode() + line)

    folder = t.shared.certificates()
    context = fleet.server_context((folder / "server.pem", folder / "server.key"), **options)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if context.verify_mode == ssl.CERT_REQUIRED:
        context.load_verify_locations(folder / "ca.pem")
    return fleet.TlsBackend(t, serve, context, name=name,
                            expected=(ssl.SSLError, EOFError, OSError, clients.Truncated))


def plain_backend(t, name):
    def serve(stream):
        while line := stream.recv():
            stream.sendall(f"{name} ".encode() + line)
        stream.finish()

    return fleet.Backend(t, serve, name=name, expected=(ConnectionError,))


def routed(t, routes, pools, **listener):
    """penstock with one listener; `routes` as the file has them, `pools`: backends by name."""
    web = {"bind": ["127.0.0.1:0"], "routes": routes} | listener
    tables = {name: {"backends": [t.entry(backend)]} for name, backend in pools.items()}
    return t.penstock({"web": web}, tables)


def client_context(t, protocols=()):
    context = ssl.create_default_context(cafile=str(t.shared.ca))
    context.check_hostname = False  # one certificate serves every name here
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def ask(t, penstock, name, protocols=()):
    """What answers to a client that asks for this name; the alert's name when it is refused."""
    connection = clients.connect(penstock.address())
    try:
        context = client_context(t, protocols)
        with context.wrap_socket(connection, server_hostname=name) as secured:
            secured.sendall(b"hello")
            return secured.recv(4096).decode()
    except ssl.SSLError as error:
        return error.reason
    finally:
        connection.close()


@test("without a tls table connections pass undecrypted, to the pool of the name that is asked for")
def passthrough(t):
    pools = {name: tls_backend(t, name) for name in ("a", "wild", "h2", "rest")}
    routes = [
        {"match": {"sni": ["a.test"]}, "pool": "a"},
        {"match": {"sni": ["*.test"], "alpn": ["h2"]}, "pool": "h2"},
        {"match": {"sni": ["*.Test"]}, "pool": "wild", "tls": "passthrough"},
    ]
    penstock = routed(t, routes, pools, pool="rest")
    expect(ask(t, penstock, "a.test") == "a - hello", "by its name")
    expect(ask(t, penstock, "A.TEST", ["h2"]) == "a h2 hello", "names have no case")
    expect(ask(t, penstock, "b.test", ["http/1.1", "h2"]) == "h2 h2 hello", "by its protocol")
    expect(ask(t, penstock, "b.test", ["http/1.1"]) == "wild http/1.1 hello", "by the wildcard")
    expect(ask(t, penstock, "a.b.test") == "rest - hello", "which is for one label")
    expect(ask(t, penstock, None) == "rest - hello", "without a name: the listener's pool")
    records = penstock.wait_records(6)
    expect(not any(record["tls"] for record in records), "penstock has ended none of them")
    asked = {record["server_name"] for record in records}
    expect(asked == {"a.test", "b.test", "a.b.test", None}, f"{asked}")
    expect({record["reason"] for record in records} <= {"finished", "client_reset"}, f"{records}")


@test("what no route takes is refused with unrecognized_name, and counted")
def no_route(t):
    pools = {"a": tls_backend(t, "a")}
    penstock = routed(t, [{"match": {"sni": ["a.test"]}, "pool": "a"}], pools)
    expect(ask(t, penstock, "a.test") == "a - hello", "the one that there is")
    for name in ("b.test", None):
        said = ask(t, penstock, name)
        expect(said == "TLSV1_UNRECOGNIZED_NAME", f"{name}: {said}")
    expect(sorted(penstock.reasons(3))[-2:] == ["no_route"] * 2, f"{penstock.records}")


@test("a listener ends TLS for some names and passes others through")
def both(t):
    pools = {"raw": tls_backend(t, "raw"), "plain": plain_backend(t, "plain"),
             "h2": plain_backend(t, "h2")}
    routes = [
        {"match": {"sni": ["raw.test"]}, "tls": "passthrough", "pool": "raw"},
        {"match": {"alpn": ["h2"]}, "pool": "h2"},
    ]
    penstock = routed(t, routes, pools, pool="plain", tls=t.shared.tls(alpn=["h2", "http/1.1"]))
    expect(ask(t, penstock, "raw.test", ["h2"]) == "raw h2 hello", "not decrypted")
    expect(ask(t, penstock, "penstock.test", ["h2"]) == "h2 hello", "by the protocol agreed on")
    expect(ask(t, penstock, "penstock.test", ["http/1.1"]) == "plain hello", "and the rest")
    expect(ask(t, penstock, "penstock.test") == "plain hello", "without a protocol")
    ended = sorted(record["tls"] for record in penstock.wait_records(4))
    expect(ended == [False, True, True, True], f"{penstock.records}")


@test("a backend that asks for a client certificate gets it through the passthrough")
def client_certificate(t):
    backend = tls_backend(t, "mtls", verify_mode=ssl.CERT_REQUIRED)
    penstock = routed(t, [{"match": {"sni": ["mtls.test"]}, "pool": "mtls"}], {"mtls": backend})
    folder = t.shared.certificates()
    context = client_context(t)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    connection = clients.connect(penstock.address())
    with context.wrap_socket(connection, server_hostname="mtls.test") as secured:
        secured.sendall(b"it is me")
        expect(secured.recv(4096) == b"mtls - it is me", "the backend has verified it")


def hello_of(t, name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = client_context(t).wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        engine.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class RawRoute:
    """A route for a.test, undecrypted, to a backend that takes what it is sent."""

    def __init__(self, t):
        self.size = 0
        self.backend = fleet.Backend(t, self.serve, name="raw")
        self.penstock = routed(t, [{"match": {"sni": ["a.test"]}, "pool": "raw"}],
                               {"raw": self.backend})

    def serve(self, stream):
        got = stream.exactly(self.size)
        stream.finish()
        return got

    def check(self, sent, cut, pause=0.0):
        """What is sent in two pieces, with a pause between them, arrives as it is."""
        self.size = len(sent)
        with clients.connect(self.penstock.address()) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(sent[:cut])
            time.sleep(pause)
            connection.sendall(sent[cut:])
            expect(connection.recv(1) == b"", "the backend has it")
        expect(self.backend.result() == sent, f"cut at {cut}: every byte is passed on")


@test("a ClientHello is read in whatever segments and records it comes, and passed on unchanged")
def in_pieces(t):
    route = RawRoute(t)
    hello = hello_of(t, "a.test")
    records = hellos.records(hello[5:], 16)
    for sent, cuts in ((hello, range(1, len(hello), 7)), (records, range(3, len(records), 97))):
        for cut in cuts:
            route.check(sent, cut)


def long_hello(name, size):
    """A ClientHello in one record of `size` bytes, whose name comes after its padding."""
    def padded(padding):
        extensions = hellos.extension(21, bytes(padding)) + hellos.server_name(name)
        return hellos.record(hellos.message(extensions))

    return padded(size - len(padded(0)))


@test("bytes that come right behind the longest ClientHello are passed on with it")
def bytes_behind(t):
    route = RawRoute(t)
    hello = long_hello(b"a.test", 16384)
    for held_back in (1, 4000, 12800):  # until after the rest has been read
        route.check(hello + bytes(range(256)) * 400, len(hello) - held_back, pause=0.1)


@test("what is no ClientHello, or too long, ends in an alert; half of one at the deadline")
def undecided(t):
    backend = plain_backend(t, "a")
    penstock = routed(t, [{"match": {"sni": ["a.test"]}, "pool": "a"}], {"a": backend},
                      pool="a", handshake_timeout="500ms")
    alert = b"\x15\x03\x03\x00\x02\x02\x32"  # fatal, decode_error
    longer = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + bytes(16380)
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x01\x02", longer):
        with clients.connect(penstock.address()) as connection:
            connection.sendall(sent)
            expect(connection.recv(100) == alert, f"{sent[:9]}: an alert")
    with clients.connect(penstock.address()) as connection:
        connection.sendall(hello_of(t, "a.test")[:100])
        expect(clients.drain(clients.Stream(connection)).end == "reset", "half of one is cut")
    with clients.connect(penstock.address()) as connection:
        connection.sendall(hello_of(t, "a.test")[:100])
    reasons = sorted(penstock.reasons(5))
    expected = ["client_gone"] + ["handshake_failed"] * 3 + ["handshake_timeout"]
    expect(reasons == expected, f"{reasons}")
    expect(backend.accepted == 0, "no backend has heard of any of them")
    until(lambda: penstock.counters()["sessions"]["active"] == 0, 5, "none is left")
