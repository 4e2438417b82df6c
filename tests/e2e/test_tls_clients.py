"""Clients that are no OpenSSL, or speak more than HTTP/1: GnuTLS, nghttp, Chromium."""
import functools
import shutil
import subprocess
import time

import fleet
import pace
import suite
from browser import Browser
from suite import expect

test = functools.partial(suite.test, tiers=("full",))


def run(*command, text=""):
    if shutil.which(command[0]) is None:
        raise suite.Skip(f"{command[0]} is not installed")
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True,
                          timeout=pace.slow(20), check=False)
    return done.stdout + done.stderr


@test("GnuTLS agrees with the listener in TLS 1.2 and 1.3, resumes, and verifies the chain")
def gnutls(t):
    penstock = t.front([fleet.Nginx(t, "secret")], "tls")
    host, port = penstock.address().rsplit(":", 1)
    request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    for version in ("1.2", "1.3"):
        said = run("gnutls-cli", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                   "--x509cafile", t.shared.ca, "--sni-hostname", "penstock.test",
                   "--verify-hostname", "penstock.test", "--port", port, "--resume",
                   "--waitresumption", host, text=request)
        expect(f"(TLS{version}-" in said, f"{version}: {said}")
        expect("The certificate is trusted" in said, f"{version}: {said}")
        expect("This is a resumed session" in said, f"{version}: {said}")


@test("HTTP/2 passes by its protocol: nghttp, through the h2 route, from a server of HTTP/2")
def http2(t):
    folder = t.dir / "files"
    folder.mkdir()
    (folder / "page").write_text("over h2\n")
    address = fleet.refused_address()
    host, port = address.rsplit(":", 1)
    if shutil.which("nghttpd") is None:
        raise suite.Skip("nghttpd is not installed")
    server = subprocess.Popen(["nghttpd", "--no-tls", "-a", host, "-d", str(folder), port],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    t.defer(lambda: (server.kill(), server.wait(10)))
    old = fleet.Nginx(t, "old")
    web = {"bind": ["127.0.0.1:0"], "pool": "old",
           "tls": t.shared.tls(alpn=["h2", "http/1.1"]),
           "routes": [{"match": {"alpn": ["h2"]}, "pool": "h2"}]}
    penstock = t.penstock({"web": web}, {"old": {"backends": [t.entry(old)]},
                                         "h2": {"backends": [address]}})
    url = f"https://{penstock.address()}/page"
    deadline = time.monotonic() + pace.slow(10)
    said = ""
    while "over h2" not in said and time.monotonic() < deadline:  # until nghttpd listens
        said = run("nghttp", "--no-verify-peer", url)
    expect("over h2" in said, said)
    answer = fleet.curl("--http1.1", "--cacert", t.shared.ca, f"https://{penstock.address()}/")
    expect(answer.stdout == "old\n", f"{answer.stdout} {answer.stderr}")


@test("Chromium opens a page through the listener")
def chromium(t):
    penstock = t.front([fleet.Nginx(t, "secret")], "tls",
                       listener={"tls": t.shared.tls(alpn=["http/1.1"])})
    browser = Browser(t, "--ignore-certificate-errors")
    browser.go(f"https://{penstock.address()}/")
    expect(browser.value("document.body.innerText").strip() == "secret", "the page is there")
