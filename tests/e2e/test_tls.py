"""TLS at the front: versions, chain, ALPN, clients that misbehave before and after the
handshake.
"""
import hashlib
import os
import re
import socket
import ssl
import subprocess
import time

import clients
import fleet
import pace
from clients import drain
from suite import expect, test, until


def fetch(t, penstock, *arguments):
    port = penstock.address().rsplit(":", 1)[1]
    return fleet.curl(
        "--cacert",
        t.shared.ca,
        "--resolve",
        f"penstock.test:{port}:127.0.0.1",
        *arguments,
        f"https://penstock.test:{port}/",
    )


@test("curl speaks TLS 1.2 and TLS 1.3 and verifies the chain")
def curl_versions(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "tls")
    for arguments, version in (
        (("--tlsv1.2", "--tls-max", "1.2"), "TLSv1.2"),
        (("--tlsv1.3",), "TLSv1.3"),
    ):
        result = fetch(t, penstock, "--verbose", *arguments)
        expect(result.stdout == "secret\n", f"{version}: {result.stdout!r} {result.stderr}")
        expect(f"SSL connection using {version}" in result.stderr, f"{version} in {result.stderr}")
    old = fetch(t, penstock, "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0")
    expect(old.returncode != 0, "TLS 1.1 is refused")
    expect(all(record["tls"] for record in penstock.wait_records(3)), "records say that it was TLS")


@test("curl fetches over 50 TLS connections, some resumed, all answered")
def many_curls(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "tls")
    port = penstock.address().rsplit(":", 1)[1]
    urls = [f"https://penstock.test:{port}/{number}" for number in range(50)]
    result = fleet.curl(
        "--cacert",
        t.shared.ca,
        "--resolve",
        f"penstock.test:{port}:127.0.0.1",
        "--no-keepalive",
        "--header",
        "Connection: close",
        *urls,
    )
    expect(
        result.stdout == "secret\n" * 50,
        f"{result.stdout.count('secret')} of 50 answered: {result.stderr}",
    )


def s_client(penstock, *arguments):
    command = [
        "openssl",
        "s_client",
        "-connect",
        penstock.address(),
        "-servername",
        "penstock.test",
        *arguments,
    ]
    result = subprocess.run(
        list(map(str, command)),
        input="",
        capture_output=True,
        text=True,
        timeout=pace.slow(15),
        check=False,
    )
    return result.stdout + result.stderr


@test(
    "openssl s_client shows the chain of two certificates and the ALPN of the listener's preference"
)
def chain_and_alpn(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "plain", listener={"tls": t.shared.tls(alpn=["http/1.1", "h2"])})
    output = s_client(penstock, "-showcerts", "-CAfile", t.shared.ca, "-alpn", "h2,http/1.1")
    expect(
        output.count("-----BEGIN CERTIFICATE-----") == 2,
        f"the chain has two certificates:\n{output}",
    )
    expect("Verify return code: 0 (ok)" in output, f"the chain verifies:\n{output}")
    expect("ALPN protocol: http/1.1" in output, f"the listener's preference decides:\n{output}")
    expect("ALPN protocol: h2" in s_client(penstock, "-alpn", "h2"), "h2 alone gets h2")
    expect("No ALPN negotiated" in s_client(penstock), "no ALPN offered, none negotiated")
    refused = s_client(penstock, "-alpn", "smtp")
    expect("no application protocol" in refused, f"no common protocol is an alert:\n{refused}")
    expect(
        penstock.reasons(4).count("handshake_failed") == 1, f"and is counted: {penstock.records}"
    )


@test("min_version 1.3 refuses TLS 1.2 with an alert")
def min_version(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "plain", listener={"tls": t.shared.tls(min_version="1.3")})
    expect(
        fetch(t, penstock, "--tls-max", "1.2").returncode == 35, "TLS 1.2 fails in the handshake"
    )
    expect(fetch(t, penstock).stdout == "secret\n", "TLS 1.3 works")
    expect(sorted(penstock.reasons(2)) == ["finished", "handshake_failed"], f"{penstock.records}")


def client_hello(t):
    """The first flight of a real client."""
    outgoing = ssl.MemoryBIO()
    tls = t.shared.client_context("tls13").wrap_bio(
        ssl.MemoryBIO(), outgoing, server_hostname="penstock.test"
    )
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def seconds_until_closed(penstock, first):
    start = time.monotonic()
    with clients.Stream(clients.connect(penstock.address())) as stream:
        if first:
            stream.sendall(first)
        drain(stream)
    return time.monotonic() - start


@test("a silent client, a record header, half a ClientHello: closed at the deadline and counted")
def handshake_deadline(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls", listener={"handshake_timeout": "1s"})
    hello = client_hello(t)
    stimuli = [b"", hello[:5], hello[: len(hello) // 2], hello]
    seconds = clients.parallel(lambda first: seconds_until_closed(penstock, first), stimuli)
    for first, taken in zip(stimuli, seconds):
        expect(
            0.9 <= taken <= pace.slow(2.0), f"{len(first)} bytes sent: closed after {taken:.2f} s"
        )
    expect(penstock.reasons(4) == ["handshake_timeout"] * 4, f"reasons: {penstock.records}")
    expect(backend.accepted == 0, "no backend was dialled for them")


@test("the handshake deadline is absolute: a byte every 100 ms does not move it")
def trickled_hello(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls", listener={"handshake_timeout": "1s"})
    hello = client_hello(t)
    start = time.monotonic()
    with clients.Stream(clients.connect(penstock.address())) as stream:
        until(
            lambda: trickle(stream, hello, time.monotonic() - start),
            5,
            "the connection is closed",
            pause=0.1,
        )
    seconds = time.monotonic() - start
    expect(0.9 <= seconds <= pace.slow(2.0), f"closed after {seconds:.2f} s")
    expect(penstock.reasons(1) == ["handshake_timeout"], f"{penstock.records}")


def trickle(stream, hello, seconds):
    """Sends the byte that is due; true once the connection is closed."""
    at = int(seconds * 10)
    try:
        stream.sendall(hello[at : at + 1])
        stream.socket.setblocking(False)
        return stream.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        stream.socket.settimeout(clients.TIMEOUT)


@test("a ClientHello in single-byte segments is understood")
def split_hello(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "tls")
    context = t.shared.client_context("tls13")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="penstock.test")
    with clients.connect(penstock.address()) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    connection.sendall(bytes([byte]))
                answer = connection.recv(65536)
                expect(answer, "the connection lasts until the handshake is done")
                incoming.write(answer)
        expect(tls.version() == "TLSv1.3", "the handshake is done")


@test("garbage on the TLS port is closed at once, counted, and never reaches a backend")
def garbage(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls")
    alert = bytes([21, 3, 3, 0, 2, 2, 40])
    ssl2 = bytes.fromhex(
        "802e0100020015000000100100800200800300800400800500800600400700c0"
    ) + bytes(16)
    stimuli = [
        b"GET / HTTP/1.0\r\n\r\n",
        os.urandom(1024) + bytes(16),
        alert,
        ssl2,
        bytes([22, 3, 1, 255, 255]) + bytes(70000),
        b"\0" * 100,
    ]
    seconds = clients.parallel(lambda first: garbage_until_closed(penstock, first), stimuli)
    for first, taken in zip(stimuli, seconds):
        expect(
            taken < pace.slow(2.0),
            f"{first[:8]}: closed after {taken:.2f} s, not at the deadline",
        )
    expect(
        set(penstock.reasons(len(stimuli))) == {"handshake_failed"}, f"reasons: {penstock.records}"
    )
    expect(backend.accepted == 0, "no backend was dialled for them")


def garbage_until_closed(penstock, first):
    try:
        return seconds_until_closed(penstock, first)
    except (BrokenPipeError, ConnectionResetError):
        return 0.0  # closed while we were still sending


@test("a client that hangs up during the handshake is not a finished session")
def hang_up_in_handshake(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls")
    hello = client_hello(t)
    for first, end in (
        (b"", socket.socket.close),
        (hello[:50], socket.socket.close),
        (hello, clients.reset),
    ):
        connection = clients.connect(penstock.address())
        connection.sendall(first)
        end(connection)
    reasons = set(penstock.reasons(3))
    expect(
        reasons <= {"client_gone", "client_reset", "client_truncated", "handshake_failed"},
        f"{reasons}",
    )
    expect(backend.accepted == 0, "no backend was dialled for them")


def expect_truncation(t, kind, end, reason):
    """A TLS client sends 1 MiB and ends by `end`: the backend gets it all, then a reset."""
    payload = clients.Payload(1 << 20)
    backend = fleet.Backend(t, drain)
    penstock = t.front([backend], kind)
    with clients.open_stream(kind, penstock.address(), t.shared) as stream:
        payload.send(stream)
        end(stream)
        received = backend.result()
    expect(
        received.size == payload.size and received.digest == payload.digest,
        f"{kind}: all came: {received}",
    )
    expect(received.end == "reset", f"{kind}: then the reset: {received}")
    expect(penstock.reasons(1) == [reason], f"{kind}: {penstock.records}")


@test("a client's FIN without close_notify: its bytes reach the backend, then RST")
def truncated(t):
    for kind in ("tls12", "tls13"):
        expect_truncation(
            t, kind, lambda stream: stream.socket.shutdown(socket.SHUT_WR), "client_truncated"
        )


@test("a record that does not decrypt: what came before reaches the backend, then RST")
def corrupted_record(t):
    bad = bytes([23, 3, 3, 0, 64]) + hashlib.sha512(b"x").digest()
    for kind in ("tls12", "tls13"):
        expect_truncation(t, kind, lambda stream: stream.socket.sendall(bad), "tls_error")


@test("data after close_notify is ignored")
def data_after_close_notify(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], "tls13")
    with clients.open_stream("tls13", penstock.address(), t.shared) as stream:
        stream.sendall(b"before")
        stream.finish()
        stream.socket.sendall(bytes([23, 3, 3, 0, 64]) + bytes(64))
        expect(drain(stream).size == 6, "the echo of what came before")
        expect(backend.result() == 6, "and no more")


@test("TLS 1.2 renegotiation is refused")
def renegotiation(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    penstock = t.front([backend], "tls12")
    command = [
        "openssl",
        "s_client",
        "-connect",
        penstock.address(),
        "-tls1_2",
        "-legacy_renegotiation",
    ]
    result = subprocess.run(
        command,
        input="R\nstill here\n",
        capture_output=True,
        text=True,
        timeout=pace.slow(15),
        check=False,
    )
    output = result.stdout + result.stderr
    expect(re.search(r"RENEGOTIATING", output), f"it was tried:\n{output}")
    expect(
        re.search(r"no renegotiation|alert|error", output.split("RENEGOTIATING")[1]),
        f"it was refused:\n{output}",
    )


@test("200 silent TLS clients do not hold up a real one, and all are closed at their deadline")
def slowloris(t):
    server = fleet.Nginx(t, "secret")
    penstock = t.front([server], "tls", listener={"handshake_timeout": "2s"})
    silent = [clients.connect(penstock.address()) for _ in range(200)]
    for connection in silent:
        t.defer(connection.close)
    penstock.wait_counters(lambda seen: seen["sessions"]["active"] == 200, 2, "200 silent sessions")
    start = time.monotonic()
    expect(fetch(t, penstock).stdout == "secret\n", "a real client is served")
    expect(time.monotonic() - start < pace.slow(1.0), f"in {time.monotonic() - start:.2f} s")
    penstock.wait_counters(
        lambda seen: seen["sessions"]["closed"].get("handshake_timeout") == 200,
        4,
        "all 200 closed by handshake_timeout",
    )
