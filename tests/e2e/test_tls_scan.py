"""What scanners that operators use say about the policies: testssl.sh and sslscan of the system."""
import functools
import json
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

import fleet
import pace
import suite
from suite import expect

test = functools.partial(suite.test, tiers=("full",))

EXPECTED = pathlib.Path(__file__).parent.parent / "data" / "testssl.expected"
POLICIES = ("modern", "intermediate")
SEVERE = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}


def program(name):
    found = shutil.which(name)
    if found is None:
        raise suite.Skip(f"{name} is not installed")
    return found


def front(t, policy):
    return t.front([fleet.Nginx(t, f"secret-{policy}")], "tls",
                   listener={"tls": t.shared.tls(policy=policy, alpn=["http/1.1"])})


def expected():
    """(policy, id, severity) of the findings that are known, each with its reason."""
    findings = {}
    for line in EXPECTED.read_text().splitlines():
        if line and not line.startswith("#"):
            policy, name, severity, reason = line.split(maxsplit=3)
            findings[policy, name, severity] = reason
    return findings


def scan(t, policy):
    penstock = front(t, policy)
    port = penstock.address().rsplit(":", 1)[1]
    output = t.dir / f"{policy}.json"
    # Protocols, cipher lists, forward secrecy, server defaults, preferences, vulnerabilities.
    command = [program("testssl"), "--quiet", "--color", "0", "--warnings", "off", "--ip",
               "127.0.0.1", "--add-ca", t.shared.ca, "--jsonfile", output, "-p", "-s", "-f", "-S",
               "-P", "-U", f"penstock.test:{port}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=pace.slow(280), check=False)
    expect(output.exists(), f"{done.stdout[-2000:]} {done.stderr[-2000:]}")
    return json.loads(output.read_text())


@test("testssl.sh finds nothing of medium or worse, and else what is expected, with reasons",
      limit=600)
def testssl(t):
    known = expected()
    for policy in POLICIES:
        findings = scan(t, policy)
        expect(len(findings) > 40, f"{policy}: {len(findings)} findings: it has not scanned")
        found = {(policy, each["id"].split(" ")[0], each["severity"]): each["finding"]
                 for each in findings
                 # What is wrong with the certificate of a test's own CA is the test's business, and
                 # WARN is about the scanner's own troubles.
                 if each["severity"] not in ("OK", "INFO", "WARN")
                 if "cert_" not in each["id"]}
        severe = {key: text for key, text in found.items() if key[2] in SEVERE}
        expect(not severe, f"{severe}")
        unknown = {key: text for key, text in found.items() if key not in known}
        expect(not unknown, f"not in {EXPECTED.name}: {unknown}")


@test("sslscan sees the versions and ciphers of the policies and nothing else", limit=120)
def sslscan(t):
    aead = re.compile(r"TLS_(AES|CHACHA20)\S*"
                      r"|ECDHE-(ECDSA|RSA)-(AES\d+-GCM-SHA\d+|CHACHA20-POLY1305)")
    for policy in POLICIES:
        penstock = front(t, policy)
        command = [program("sslscan"), "--xml=-", "--no-colour", "--sni-name=penstock.test",
                   penstock.address()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=pace.slow(60),
                              check=False)
        tree = xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")
        spoken = {each.get("type") + each.get("version") for each in tree.iter("protocol")
                  if each.get("enabled") == "1"}
        wanted = {"tls1.3"} if policy == "modern" else {"tls1.2", "tls1.3"}
        expect(spoken == wanted, f"{policy}: {spoken}")
        ciphers = {each.get("cipher") for each in tree.iter("cipher")}
        expect(ciphers and all(aead.fullmatch(each) for each in ciphers), f"{policy}: {ciphers}")
        expect(tree.find("renegotiation").get("supported") == "0", f"{policy}: renegotiation")
        compression = tree.find("compression")  # absent: it cannot ask for that itself
        expect(compression is None or compression.get("supported") == "0", f"{policy}: compression")
        for each in tree.iter("heartbleed"):
            expect(each.get("vulnerable") == "0", f"{policy}: heartbleed")
