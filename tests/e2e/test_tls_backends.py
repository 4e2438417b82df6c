"""TLS towards backends: who is trusted, what a client notices, and that bytes are the same."""
import functools
import re
import socket
import ssl

import clients
import fleet
import suite
from authority import Authority
from clients import drain
from suite import expect, until

test = functools.partial(suite.test, tiers=("full", "plain"))

TROUBLE = (ssl.SSLError, OSError, EOFError)


def tls_echo(t, identity, name="py", handler=fleet.echo, **options):
    context = fleet.server_context(identity, **options)
    return fleet.TlsBackend(t, handler, context, name=name, expected=TROUBLE)


def front(t, backends, tls, kind="plain", **pool):
    return t.front(backends, kind, pool={"tls": tls} | pool)


def ask(address, data=b"hello"):
    """What comes back of `data`; how the connection ended, otherwise."""
    with clients.connect(address) as connection:
        stream = clients.Stream(connection)
        try:
            stream.sendall(data)
            stream.finish()
        except OSError:
            return "reset"
        got = drain(stream)
        return got.size if got.end == "fin" else got.end


@test("bytes pass to and from a backend over TLS, unchanged: plain, TLS 1.2, TLS 1.3", limit=60)
def transfers(t):
    authority = Authority(t.dir, "fleet")
    backend = tls_echo(t, authority.issue("app", "DNS:app.internal"))
    trust = {"ca": authority.ca, "server_name": "app.internal"}
    payload = clients.Payload(t.bulk(8 << 20))
    for kind in ("plain", "tls12", "tls13"):
        penstock = front(t, [backend], trust, kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            both = clients.Parallel()
            both.start(lambda to=stream: (payload.send(to, seed=1), to.finish()))
            got = drain(stream)
            both.join()
        expect(got == clients.Received(payload.size, payload.digest, "fin"), f"{kind}: {got}")
        expect(backend.result() == payload.size, f"{kind}: the backend has it")
        expect(penstock.reasons(1) == ["finished"], f"{kind}: {penstock.records}")


@test("a backend is trusted by its CA and its name, or its address; a name is asked for by SNI")
def trusted(t):
    authority, asked = Authority(t.dir, "fleet"), []

    def note(_socket, name, _context):
        asked.append(name)

    named = tls_echo(t, authority.issue("app", "DNS:*.fleet.internal"), sni_callback=note)
    penstock = front(t, [named], {"ca": authority.ca, "server_name": "app.fleet.internal"})
    expect(ask(penstock.address()) == 5, "by its name")
    host = fleet.next_host()
    context = fleet.server_context(authority.issue("app", f"IP:{host}"), sni_callback=note)
    placed = fleet.TlsBackend(t, fleet.echo, context, address=f"{host}:0", expected=TROUBLE)
    penstock = front(t, [placed], {"ca": authority.ca})
    expect(ask(penstock.address()) == 5, "by its address")
    expect(asked == ["app.fleet.internal", None], f"{asked}")


@test("a backend of another CA, name or time is not trusted, and gets nothing of the client's")
def refused(t):
    authority, others = Authority(t.dir, "fleet"), Authority(t.dir, "others")
    trust = {"ca": authority.ca, "server_name": "app.internal"}
    cases = {
        "another CA": others.issue("app", "DNS:app.internal"),
        "another name": authority.issue("app", "DNS:web.internal"),
        "its name in the subject only": authority.issue("app.internal"),
        "expired": authority.issue("app", "DNS:app.internal", days=-1),
    }
    for what, identity in cases.items():
        backend = tls_echo(t, identity)
        penstock = front(t, [backend], trust)
        expect(ask(penstock.address()) == "reset", what)
        outcome = backend.result()
        expect(isinstance(outcome, TROUBLE), f"{what}: the backend has got {outcome}")
        expect(penstock.reasons(1) == ["backend_handshake_failed"], f"{what}: {penstock.records}")
        careless = front(t, [backend], {"verify": False})
        expect(ask(careless.address()) == 5, f"{what}: unless nothing is verified")
        expect(backend.result() == 5, "which it gets")


@test("plaintext from a backend before its handshake fails the connection and is not passed on")
def plaintext(t):
    def banner(stream):
        stream.sendall(b"220 welcome\r\n" * 100)
        return stream.recv()

    backend = fleet.Backend(t, banner, expected=(OSError,))
    for kind in ("plain", "tls13"):
        penstock = front(t, [backend], {"verify": False}, kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            got = drain(stream)
        expect(got.size == 0 and got.end != "fin", f"{kind}: {got}")
        backend.result()
        expect(penstock.reasons(1) == ["backend_handshake_failed"], f"{penstock.records}")


@test("a handshake that fails is tried on the next backend; what the client has sent arrives there")
def retried(t):
    authority, others = Authority(t.dir, "fleet"), Authority(t.dir, "others")
    bad = [tls_echo(t, others.issue("app", "DNS:app.internal"), f"bad{n}") for n in range(2)]
    good = tls_echo(t, authority.issue("app", "DNS:app.internal"), "good")
    penstock = front(t, [*bad, good], {"ca": authority.ca, "server_name": "app.internal"},
                     hash_key="source_ip_port", connect_tries=3)
    for _ in range(t.count(20)):
        expect(ask(penstock.address(), b"x" * 3000) == 3000, "the client notices nothing")
    records = penstock.wait_records(t.count(20))
    expect({record["backend"] for record in records} == {"app/good"}, f"{records}")
    expect(max(record["tries"] for record in records) > 1, "some have met the bad ones first")


@test("a backend that takes the connection and is silent is given up at connect_timeout")
def silent(t):
    def listen(stream):
        while stream.recv():
            pass

    backend = fleet.Backend(t, listen, expected=(OSError,))
    penstock = front(t, [backend], {"verify": False}, connect_timeout="300ms")
    expect(ask(penstock.address()) == "reset", "the client is let go")
    record = penstock.wait_records(1)[0]
    expect(record["reason"] == "connect_timeout", f"{record}")
    expect(280 <= record["duration_ms"] <= 2000, f"{record}")


@test("a backend that asks for a certificate gets the pool's, and can agree on a protocol")
def identity(t):
    authority = Authority(t.dir, "fleet")
    me = authority.issue("penstock", "DNS:penstock.internal")

    def introduce(stream):
        subject = stream.tls.getpeercert()["subject"][0][0][1]
        stream.sendall(f"{subject} {stream.tls.selected_alpn_protocol()}".encode())
        stream.finish()

    context = fleet.server_context(authority.issue("app", "DNS:app.internal"),
                                   verify_mode=ssl.CERT_REQUIRED)
    context.load_verify_locations(authority.ca)
    context.set_alpn_protocols(["http/1.1"])
    backend = fleet.TlsBackend(t, introduce, context, expected=TROUBLE)
    trust = {"ca": authority.ca, "server_name": "app.internal"}
    own = front(t, [backend], trust | {
        "certificate": {"chain": me[0], "key": me[1]}, "alpn": ["h2", "http/1.1"]})
    with clients.connect(own.address()) as connection:
        expect(connection.recv(100) == b"penstock http/1.1", "it knows who is there")
    without = front(t, [backend], trust)
    with clients.connect(without.address()) as connection:
        got = drain(clients.Stream(connection))
    expect(got.end == "reset", f"without one: {got}")


@test("connections resume the sessions that a backend has given")
def resumed(t):
    authority = Authority(t.dir, "fleet")

    def serve(stream):
        reused = stream.tls.session_reused
        fleet.echo(stream)
        return reused

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        backend = tls_echo(t, authority.issue("app", "DNS:app.internal"), handler=serve,
                           maximum_version=version)
        penstock = t.front([backend], "plain", process={"shards": 1},
                           pool={"tls": {"ca": authority.ca, "server_name": "app.internal"}})
        seen = []
        for _ in range(3):
            expect(ask(penstock.address()) == 5, "served")
            seen.append(backend.result())
        expect(seen == [False, True, True], f"{version}: {seen}")


@test("a backend's FIN without close_notify: its bytes are delivered, then a reset")
def truncated(t):
    authority = Authority(t.dir, "fleet")

    def cut(stream):
        stream.sendall(b"x" * 100_000)
        stream.socket.shutdown(socket.SHUT_WR)
        drain(stream)

    backend = tls_echo(t, authority.issue("app", "DNS:app.internal"), handler=cut)
    penstock = front(t, [backend], {"ca": authority.ca, "server_name": "app.internal"})
    with clients.connect(penstock.address()) as connection:
        got = drain(clients.Stream(connection))
    expect((got.size, got.end) == (100_000, "reset"), f"{got}")
    expect(penstock.reasons(1) == ["backend_truncated"], f"{penstock.records}")


@test("a record of a backend's that does not decrypt ends the session")
def garbled(t):
    authority = Authority(t.dir, "fleet")

    def lie(stream):
        stream.sendall(b"x" * 1000)
        stream.recv(1)
        stream.socket.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        drain(stream)

    backend = tls_echo(t, authority.issue("app", "DNS:app.internal"), handler=lie)
    penstock = front(t, [backend], {"ca": authority.ca, "server_name": "app.internal"})
    with clients.connect(penstock.address()) as connection:
        stream = clients.Stream(connection)
        expect(stream.exactly(1000) == b"x" * 1000, "what came before")
        stream.sendall(b"!")
        expect(drain(stream).end == "reset", "and then the end")
    expect(penstock.reasons(1) == ["backend_tls_error"], f"{penstock.records}")


@test("health checks speak TLS: what is wrong with a backend is in the line that takes it down",
      limit=40)
def health(t):
    authority, others = Authority(t.dir, "fleet"), Authority(t.dir, "others")

    def http(stream):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = stream.recv()
            if not piece:
                return request
            request += piece
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        stream.finish()
        return request

    good = tls_echo(t, authority.issue("app", "DNS:app.internal"), "good", handler=http)
    bad = tls_echo(t, others.issue("app", "DNS:app.internal"), "bad", handler=http)
    plain = fleet.Nginx(t, "plain")
    for kind in ("http", "tcp"):
        check = {"type": kind, "interval": "100ms", "timeout": "2s", "rise": 1, "fall": 2}
        penstock = front(t, [good, bad, plain],
                         {"ca": authority.ca, "server_name": "app.internal"}, health=check)
        line = penstock.wait_log("app/bad down: ")
        expect(re.search("TLS failed: certificate verify failed: .*issuer", line), line)
        expect("TLS failed: " in penstock.wait_log("app/plain down: "), kind)
        for _ in range(10):
            penstock_answers(penstock)
        expect(not any("app/good down" in text for text in penstock.texts()), f"{kind}")
    until(lambda: b"GET / " in good.result(), 5, "a request over TLS")


def penstock_answers(penstock):
    body = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with clients.connect(penstock.address()) as connection:
        stream = clients.Stream(connection)
        stream.sendall(body)
        expect(stream.recv(12) == b"HTTP/1.1 200", "served by the good one")
