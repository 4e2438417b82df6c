"""What operators choose for TLS at the front: certificates, policies, clients' certificates,
tickets.
"""
import functools
import os
import re
import subprocess
import time

import clients
import fleet
import pace
import suite
from authority import Authority
from suite import expect

test = functools.partial(suite.test, tiers=("full",))


def table(*certificates, **options):
    """The `tls` table of a listener."""
    return {"certificates": [{"chain": chain, "key": key} for chain, key in certificates]} | options


def s_client(penstock, *arguments):
    """What openssl s_client has to say, once it is connected."""
    command = ["openssl", "s_client", "-connect", penstock.address(), *map(str, arguments)]
    done = subprocess.run(command, input="", capture_output=True, text=True,
                          timeout=pace.slow(15), check=False)
    return done.stdout + done.stderr


def fetch(penstock, ca, name, *arguments):
    port = penstock.address().rsplit(":", 1)[1]
    return fleet.curl("--cacert", ca, "--resolve", f"{name}:{port}:127.0.0.1", *arguments,
                      f"https://{name}:{port}/")


def with_identity(identity):
    return ("--cert", identity[0], "--key", identity[1]) if identity else ()


@test("of an RSA and an ECDSA certificate a client gets the one that it can verify, by its name")
def two_kinds(t):
    authority = Authority(t.dir, "servers")
    tls = table(authority.issue("ec", "DNS:a.fleet.test"),
                authority.issue("rsa", "DNS:a.fleet.test", rsa=True),
                authority.issue("wild", "DNS:*.fleet.test"))
    penstock = t.front([fleet.Nginx(t, "secret")], "tls", listener={"tls": tls})
    for version in ("-tls1_2", "-tls1_3"):
        for name, signatures, subject in (("a.fleet.test", "ECDSA+SHA256", "ec"),
                                          ("a.fleet.test", "RSA-PSS+SHA256", "rsa"),
                                          ("b.fleet.test", "ECDSA+SHA256", "wild")):
            said = s_client(penstock, version, "-servername", name, "-sigalgs", signatures)
            expect(re.search(rf"subject=CN ?= ?{subject}\n", said), f"{version} {name}: {said}")
    for name in ("a.fleet.test", "b.fleet.test"):
        expect(fetch(penstock, authority.ca, name).stdout == "secret\n", f"curl trusts {name}")


@test("certificates come from a folder, too; strict_sni refuses every name that none of them has")
def folder(t):
    authority = Authority(t.dir, "servers")
    certificates = t.dir / "certificates"
    certificates.mkdir()
    for name in ("a.test", "b.test"):
        chain, key = authority.issue(name, f"DNS:{name}")
        chain.rename(certificates / f"{name}.pem")
        key.rename(certificates / f"{name}.key")
    tls = {"certificate_folder": certificates, "strict_sni": True}
    penstock = t.front([fleet.Nginx(t, "secret")], "tls", listener={"tls": tls})
    for name in ("a.test", "b.test"):
        expect(fetch(penstock, authority.ca, name).stdout == "secret\n", name)
    for arguments in (("-servername", "c.test"), ("-noservername",)):
        said = s_client(penstock, *arguments)
        expect("unrecognized name" in said, f"{arguments}: {said}")
    expect(penstock.reasons(4).count("handshake_failed") == 2, f"{penstock.records}")


@test("a policy, and what replaces parts of it, is what clients can agree on")
def policies(t):
    server = fleet.Nginx(t, "secret")
    folder = t.shared.certificates()
    listeners = {
        name: {"bind": ["127.0.0.1:0"], "pool": "app", "tls": t.shared.tls(**options)}
        for name, options in (
            ("modern", {"policy": "modern"}),
            ("intermediate", {}),
            ("own", {"policy": "modern", "min_version": "1.2", "groups": ["P-384"],
                     "ciphers": ["ECDHE-ECDSA-AES256-GCM-SHA384"],
                     "ciphersuites": ["TLS_CHACHA20_POLY1305_SHA256"]}),
        )
    }
    penstock = t.penstock(listeners, {"app": {"backends": [t.entry(server)]}})

    def agreed(listener, *arguments):
        address = penstock.address(listener)
        command = ["openssl", "s_client", "-connect", address, "-CAfile", folder / "ca.pem",
                   "-brief", *arguments]
        done = subprocess.run(command, input="", capture_output=True, text=True,
                              timeout=pace.slow(15), check=False)
        said = done.stdout + done.stderr
        cipher = re.search(r"Ciphersuite: (\S+)", said)
        return cipher.group(1) if cipher else re.search(r"alert [a-z ]+", said).group(0)

    expect(agreed("modern", "-tls1_2") == "alert protocol version", "modern is TLS 1.3")
    expect(agreed("modern", "-tls1_3") == "TLS_AES_128_GCM_SHA256", "which it speaks")
    expect(agreed("intermediate", "-tls1_2") == "ECDHE-ECDSA-AES128-GCM-SHA256", "intermediate")
    expect(agreed("intermediate", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")
           == "alert handshake failure", "has no CBC")
    expect(agreed("own", "-tls1_2") == "ECDHE-ECDSA-AES256-GCM-SHA384", "own ciphers")
    expect(agreed("own", "-tls1_3") == "TLS_CHACHA20_POLY1305_SHA256", "and suites")
    expect(agreed("own", "-tls1_3", "-groups", "X25519") == "alert handshake failure", "and groups")


@test("certificates of clients: none, good, of a stranger, revoked, expired, not on the list",
      limit=60)
def client_certificates(t):
    authority, strangers = Authority(t.dir), Authority(t.dir, "strangers")
    good = authority.issue("Good", "DNS:good.corp")
    listed = authority.issue("listed", "email:listed@corp")
    revoked = authority.issue("revoked", "DNS:revoked.corp")
    expired = authority.issue("expired", "DNS:expired.corp", days=-1)
    stranger = strangers.issue("Good", "DNS:good.corp")
    crl = authority.revoke(revoked[0])
    server = fleet.Nginx(t, "secret")

    def front(**options):
        asks = {"client_ca": authority.ca, "client_crl": crl} | options
        return t.front([server], "tls", listener={"tls": t.shared.tls(**asks)})

    required, optional = front(client_auth="required"), front(client_auth="optional")
    narrow = front(client_auth="required", client_names=["listed@corp", "*.corp.test"])
    cases = (
        (required, {None: False, good: True, stranger: False, revoked: False, expired: False}),
        (optional, {None: True, good: True, stranger: False, revoked: False, expired: False}),
        (narrow, {None: False, good: False, listed: True}),
    )
    for penstock, outcomes in cases:
        for identity, served in outcomes.items():
            for version in (("--tls-max", "1.2"), ("--tlsv1.3",)):
                got = fetch(penstock, t.shared.ca, "penstock.test", *version,
                            *with_identity(identity))
                expect((got.stdout == "secret\n") == served, f"{identity} {version}: {got.stderr}")
        names = {record["client_name"] for record in penstock.wait_records(2 * len(outcomes))
                 if record["reason"] != "handshake_failed"}
        shown = {"good.corp"} if good in outcomes and outcomes[good] else {"listed@corp"}
        expect(names == shown | ({None} if outcomes[None] else set()), f"{names}")
        failed = 2 * list(outcomes.values()).count(False)
        reasons = penstock.reasons(2 * len(outcomes))
        expect(reasons.count("handshake_failed") == failed, f"{reasons}")


@test("what is asked of clients can depend on the name; a ticket for one opens no other", limit=60)
def by_name(t):
    authority, servers = Authority(t.dir), Authority(t.dir, "servers")
    me = authority.issue("me")
    tls = table(servers.issue("both", "DNS:open.test,DNS:admin.test"), names={
        "admin.test": {"client_auth": "required", "client_ca": authority.ca}})
    penstock = t.front([fleet.Nginx(t, "secret")], "tls", listener={"tls": tls})
    expect(fetch(penstock, servers.ca, "open.test").stdout == "secret\n", "open to all")
    expect(fetch(penstock, servers.ca, "admin.test").stdout == "", "not to all")
    got = fetch(penstock, servers.ca, "admin.test", *with_identity(me))
    expect(got.stdout == "secret\n", f"to me: {got.stderr}")
    for version in ("-tls1_2", "-tls1_3"):
        session = t.dir / f"session{version}"
        get = ("-quiet", version, "-sess_out", session, "-servername", "open.test")
        expect("secret" in request(penstock, *get), "a session of the open name")
        reuse = ("-quiet", version, "-sess_in", session, "-servername")
        expect("secret" in request(penstock, *reuse, "open.test"), "is good there")
        expect("secret" not in request(penstock, *reuse, "admin.test"), f"{version}: only there")


def request(penstock, *arguments):
    """What an HTTP request by openssl s_client brings."""
    command = ["openssl", "s_client", "-ign_eof", "-connect", penstock.address(),
               *map(str, arguments)]
    text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True,
                          timeout=pace.slow(15), check=False)
    return done.stdout + done.stderr


@test("processes with one ticket_secret resume each other's sessions, for two rotations at most",
      limit=60)
def shared_secret(t):
    secret = t.dir / "ticket.secret"
    secret.write_bytes(os.urandom(48))
    server = fleet.Nginx(t, "secret")

    def front(**options):
        return t.front([server], "tls", listener={"tls": t.shared.tls(**options)})

    seconds = pace.slow(4)
    shared = {"ticket_secret": secret, "ticket_rotation": f"{int(seconds)}s"}
    one, two, own = front(**shared), front(**shared), front()
    for version in ("-tls1_2", "-tls1_3"):
        session = t.dir / f"session{version}"
        first = request(one, version, "-sess_out", session)
        expect("New, " in first and "secret" in first, f"{version}: {first}")
        expect("Reused, " in request(two, version, "-sess_in", session), f"{version}: on another")
        expect("New, " in request(own, version, "-sess_in", session), f"{version}: without it")
    time.sleep(2 * seconds)
    for version in ("-tls1_2", "-tls1_3"):
        later = request(two, version, "-sess_in", t.dir / f"session{version}")
        expect("New, " in later and "secret" in later, f"{version}: two rotations later: {later}")


@test("why a handshake failed is counted, and told with who it was and what it asked for")
def told(t):
    authority = Authority(t.dir)
    tls = t.shared.tls(strict_sni=True, alpn=["h2"], client_auth="required",
                       client_ca=authority.ca)
    penstock = t.front([fleet.Nginx(t, "secret")], "tls",
                       listener={"tls": tls, "handshake_timeout": "500ms"})

    def ask(*arguments):
        name = () if "-servername" in arguments else ("-servername", "penstock.test")
        return s_client(penstock, *name, *arguments)

    cases = (
        ("version", lambda: ask("-tls1_1", "-cipher", "ALL@SECLEVEL=0"), "unsupported protocol"),
        ("algorithms", lambda: ask("-tls1_2", "-cipher", "AES128-GCM-SHA256"), "no shared cipher"),
        ("protocol", lambda: ask("-alpn", "smtp"), "no application protocol"),
        ("name", lambda: ask("-servername", "x.test"), "for x.test: no certificate has the name"),
        ("certificate_missing", ask, "for penstock.test: peer did not return a certificate"),
        ("not_tls", lambda: plain(penstock), "http request"),
        ("timeout", lambda: silent(penstock), "longer than handshake_timeout"),
    )
    for number, (_, act, words) in enumerate(cases):
        act()
        penstock.wait_records(number + 1)
        line = penstock.wait_log(f"TLS: 127.0.0.1:.* failed the handshake on web.*{words}")
        expect(number > 2 or "alert" in line, f"{line}: with its alert")
    faults = penstock.counters()["listeners"]["web"]["handshake_faults"]
    expect(faults == {name: 1 for name, _, _ in cases}, f"{faults}")


def plain(penstock):
    with clients.connect(penstock.address()) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        clients.drain(clients.Stream(connection))


def silent(penstock):
    with clients.connect(penstock.address()) as connection:
        clients.drain(clients.Stream(connection))


@test("a flood of handshakes that fail is a few lines, and a number")
def flood(t):
    penstock = t.front([fleet.Nginx(t, "secret")], "tls")
    count = t.count(200)
    for _ in range(count):
        plain(penstock)
    penstock.wait_records(count)
    time.sleep(1.2)
    lines = [text for text in penstock.texts() if "TLS: " in text]
    rest = sum(int(found.group(1)) for text in lines
               if (found := re.search(r"TLS: (\d+) handshakes? more failed", text)))
    single = [text for text in lines if "failed the handshake on" in text]
    expect(len(single) + rest == count, f"{len(single)} and {rest} of {count}")
    expect(len(single) <= count // 2, f"{len(single)} lines")


@test("tickets = 0: no session is ever resumed")
def no_tickets(t):
    penstock = t.front([fleet.Nginx(t, "secret")], "tls",
                       listener={"tls": t.shared.tls(tickets=0)})
    for version in ("-tls1_2", "-tls1_3"):
        session = t.dir / f"session{version}"
        expect("secret" in request(penstock, version, "-sess_out", session), version)
        if session.exists():
            expect("Reused, " not in request(penstock, version, "-sess_in", session), version)
