"""Certificates and what belongs to them that change on disk while penstock serves."""
import functools
import os
import ssl
import threading
import time

import clients
import fleet
import pace
import suite
from authority import Authority
from suite import expect, until

test = functools.partial(suite.test, tiers=("full",))


def put(identity, chain, key):
    """Puts a chain and its key in place, each in one step."""
    for source, target in ((identity[0], chain), (identity[1], key)):
        fresh = target.with_suffix(".fresh")
        fresh.write_bytes(source.read_bytes())
        os.replace(fresh, target)


class Files:
    def __init__(self, t):
        self.authority = Authority(t.dir, "servers")
        self.chain, self.key = t.dir / "server.pem", t.dir / "server.key"
        self.context = ssl.create_default_context(cafile=str(self.authority.ca))
        self.renew("first")

    def renew(self, name):
        put(self.authority.issue(name, "DNS:a.test"), self.chain, self.key)

    def tls(self, **options):
        return {"certificates": [{"chain": self.chain, "key": self.key}]} | options

    def handshake(self, penstock):
        """The common name of the certificate that is shown."""
        connection = clients.connect(penstock.address())
        with self.context.wrap_socket(connection, server_hostname="a.test") as secured:
            return dict(part[0] for part in secured.getpeercert()["subject"])["commonName"]


@test("a certificate that is exchanged under a thousand handshakes fails none of them", limit=90)
def exchanged(t):
    files = Files(t)
    penstock = t.front([fleet.Backend(t, fleet.echo, expected=(OSError,))], "tls",
                       listener={"tls": files.tls()})
    old = clients.TlsStream(clients.connect(penstock.address()), files.context, "a.test")
    seen, failed, count = set(), [], t.count(1000)
    ended = threading.Event()

    def shake():
        while not ended.is_set():
            try:
                seen.add(files.handshake(penstock))
                shaken.append(1)
            except OSError as error:
                failed.append(error)

    shaken = []
    threads = [threading.Thread(target=shake) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            files.renew(f"number {number}")
            until(lambda name=f"number {number}": name in seen, 15, "the new one is shown")
        until(lambda: len(shaken) >= count, 60, "so many handshakes")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    expect(not failed, f"{len(failed)} of {len(shaken)}: {failed[:3]}")
    old.sendall(b"still here")
    expect(old.exactly(10) == b"still here", "an old connection goes on")
    old.close()
    expect(files.handshake(penstock) == "number 2", "the old ones are gone")


@test("a file that is no good is told of, and the old certificate stays", limit=60)
def no_good(t):
    files = Files(t)
    penstock = t.front([fleet.Backend(t, fleet.echo, expected=(OSError,))], "tls",
                       listener={"tls": files.tls()})
    stranger = files.authority.issue("stranger", "DNS:a.test")
    expired = files.authority.issue("expired", "DNS:a.test", days=-1)
    for what, spoil, words in (
        ("a key of another", lambda: files.key.write_bytes(stranger[1].read_bytes()), "not fit"),
        ("no key", lambda: files.key.unlink(), "cannot open"),
        ("one that is expired", lambda: put(expired, files.chain, files.key), "expired on"),
        ("half a file", lambda: files.chain.write_bytes(stranger[0].read_bytes()[:200]), "damaged"),
    ):
        spoil()
        penstock.wait_log(f"TLS: files have changed and are no good, .*{words}", 10)
        expect(files.handshake(penstock) == "first", f"{what}: the old one stays")
    files.renew("second")
    penstock.wait_log("TLS: files have changed and are in use", 10)
    until(lambda: files.handshake(penstock) == "second", 5, "the good one is used")


@test("a folder of certificates and a revocation list are looked at, too",
      limit=60)
def others(t):
    clients_authority = Authority(t.dir)
    servers = Authority(t.dir, "servers")
    folder = t.dir / "certificates"
    folder.mkdir()

    def add(name):
        put(servers.issue(name, f"DNS:{name}"), folder / f"{name}.pem", folder / f"{name}.key")

    add("a.test")
    me = clients_authority.issue("me", "DNS:me.corp")
    crl = t.dir / "crl.pem"
    crl.write_bytes(clients_authority.revoke().read_bytes())
    tls = {"certificate_folder": folder, "strict_sni": True, "client_auth": "required",
           "client_ca": clients_authority.ca, "client_crl": crl}
    penstock = t.front([fleet.Backend(t, fleet.echo, expected=(OSError,))], "tls",
                       listener={"tls": tls})
    context = ssl.create_default_context(cafile=str(servers.ca))
    context.load_cert_chain(*me)

    def served(name):
        try:
            with clients.connect(penstock.address()) as connection:
                stream = clients.TlsStream(connection, context, name)
                stream.sendall(b"x")
                return stream.recv(1) == b"x"
        except (OSError, EOFError, clients.Truncated):
            return False

    expect(served("a.test") and not served("b.test"), "one name")
    add("b.test")
    until(lambda: served("b.test"), 15, "a certificate that was added", pause=0.2)
    crl.write_bytes(clients_authority.revoke(me[0]).read_bytes())
    until(lambda: not served("a.test"), 15, "a client that was revoked", pause=0.2)


@test("a certificate that expires within 21 days is warned of")
def expiry(t):
    authority = Authority(t.dir, "servers")
    soon, later = authority.issue("soon", "DNS:a.test", days=5), authority.issue("later", "DNS:b")
    tls = {"certificates": [{"chain": chain, "key": key} for chain, key in (soon, later)]}
    penstock = t.front([fleet.Nginx(t, "secret")], "tls", listener={"tls": tls})
    line = penstock.wait_log("TLS: the certificate of .* expires on")
    expect("CN=soon on web" in line and "in 4 days" in line, line)
    time.sleep(pace.slow(0.2))
    expect(not any("CN=later" in text for text in penstock.texts()), f"{penstock.texts()}")


@test("new CAs for the backends are used by connections and by health checks", limit=60)
def backends(t):
    old, new = Authority(t.dir, "old"), Authority(t.dir, "new")
    trusted = t.dir / "fleet-ca.pem"
    trusted.write_bytes(old.ca.read_bytes())
    context = fleet.server_context(new.issue("app", "DNS:app.internal"))
    backend = fleet.TlsBackend(t, fleet.echo, context, expected=(ssl.SSLError, OSError, EOFError))
    check = {"type": "tcp", "interval": "200ms", "timeout": "2s", "rise": 1, "fall": 2}
    penstock = t.front([backend], "plain", pool={
        "tls": {"ca": trusted, "server_name": "app.internal"}, "health": check})
    penstock.wait_log("app/py down: TLS failed: certificate verify failed")
    trusted.write_bytes(new.ca.read_bytes())
    penstock.wait_log("app/py up: ", 15)
    with clients.connect(penstock.address()) as connection:
        connection.sendall(b"hello")
        expect(connection.recv(5) == b"hello", "and served")
