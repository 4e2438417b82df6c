"""Memory that runs out, by the switch --fail-alloc of builds with checks: a start is refused with a
sentence, a handshake or a session ends with a reason, and nothing is lost or left.
"""
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time

import clients
import fleet
import harness
from suite import Failure, Skip, expect, test

OTHER = pathlib.Path(__file__).resolve().parents[1] / "data/config/certs"
START_PERCENTS = (0.01, 0.1, 1, 10)


def need_switches(t):
    said = subprocess.run(
        [t.binary, "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    if "--fail-alloc" not in said.stdout:
        raise Skip("penstock is built without checks, so it has no --fail-alloc")


def leaks_of_openssl(t):
    """Options that let LeakSanitizer pass over what libcrypto allocates: it leaks when its own
    set-up runs out of memory (3.0.19 does, while it loads its configuration). What penstock leaks
    of a connection is looked for in the tests that serve, where this is not set.
    """
    path = t.dir / "leaks"
    path.write_text("leak:libcrypto\n")
    return f"suppressions={path}:print_suppressions=0"


def start_under_shortage(t, config, percent, seed):
    """Starts, waits for `ready` or the end, ends. Returns whether it was ready."""
    command = [t.binary, "run", "--config", config, "--poison"]
    command += ["--fail-alloc", str(percent), "--fail-seed", str(seed)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env=os.environ | {"LSAN_OPTIONS": leaks_of_openssl(t)},
    )
    t.defer(process.kill)
    lines = []
    for line in process.stderr:
        lines.append(line.rstrip())
        if " ready: " in line:
            process.send_signal(signal.SIGTERM)
    code = process.wait(20)
    what = f"{percent} %, seed {seed}: exit {code}: " + "\n".join(lines[-30:])
    expect(not any(harness.SANITIZER.search(line) for line in lines), what)
    ready = any(" ready: " in line for line in lines)
    expect(code == (0 if ready else 1), what)
    if not ready:
        expect(re.search(r" error |^\S+\.toml:\d+:\d+: ", lines[-1]), f"a sentence last: {what}")
    return ready


@test("a start whose allocations fail is refused with a sentence or serves", limit=120)
def start(t):
    need_switches(t)
    path = t.dir / "penstock.toml"
    web = {"bind": ["127.0.0.1:0"], "pool": "app", "tls": t.shared.tls()}
    app = {"backends": ["127.0.0.1:9"], "health": {"type": "tcp"}}
    process = {"shards": 2, "pin": False, "io_disable": harness.disabled_features(t.tier)}
    path.write_text(
        harness.render(
            {"listeners": {"web": web}, "pools": {"app": app}, "process": process}
        )
    )
    outcomes = set()
    for percent in START_PERCENTS:
        for seed in range(1, 1 + t.count(30)):
            outcomes.add(start_under_shortage(t, path, percent, seed))
    expect(outcomes == {True, False}, f"some start and some do not: {outcomes}")


def exchange(t, penstock, deadline):
    """TLS exchanges until the deadline, with any end. Returns how many of them went well."""
    good = 0
    while time.monotonic() < deadline:
        try:
            with clients.open_stream("tls13", penstock.address(), t.shared) as stream:
                stream.sendall(b"x" * 20000)
                good += len(stream.exactly(20000)) == 20000
                stream.finish()
                clients.drain(stream)
        except ssl.SSLCertVerificationError as error:
            raise Failure(f"the certificate of another name: {error}") from error
        except (OSError, EOFError, clients.Truncated):
            pass  # ssl.SSLError is an OSError
    return good


def exchanges(t, percent):
    """Many of them before a listener whose first certificate is of another name."""
    t.switches["fail-alloc"] = percent
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    tls = t.shared.tls()
    tls["certificates"].insert(0, {"chain": OTHER / "other.pem", "key": OTHER / "other.key"})
    penstock = t.front([backend], listener={"tls": tls})
    deadline = time.monotonic() + 5
    good = sum(clients.parallel(lambda _: exchange(t, penstock, deadline), range(4)))
    closed = penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == 0, 20, "every session has ended"
    )["sessions"]["closed"]
    return good, closed


@test("with one allocation of ten thousand failing most TLS sessions still go well", limit=40)
def few(t):
    need_switches(t)
    good, closed = exchanges(t, 0.01)
    expect(good > 0 and good >= closed.get("finished", 0) // 2, f"{good} went well: {closed}")


@test("with one allocation of a thousand failing TLS sessions end for some reason", limit=40)
def some(t):
    need_switches(t)
    _, closed = exchanges(t, 0.1)
    expect(sum(closed.values()) > closed.get("finished", 0), f"some failed: {closed}")


@test("with one allocation of a hundred failing handshakes fail and nothing is left", limit=40)
def many(t):
    need_switches(t)
    _, closed = exchanges(t, 1)
    expect(closed.get("handshake_failed", 0) > 0, f"handshakes failed: {closed}")
