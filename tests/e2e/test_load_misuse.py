"""penstock-load in the wrong hands or before the wrong target: flags that make no sense, nobody
there, garbage, Ctrl-C. A clear message each time, and what was counted until then.
"""
import csv
import functools
import io
import re
import signal
import time

import adversary
import fleet
import suite
from suite import expect, until
from test_load import load
from test_load_losses import (
    Ledger, Running, answering, as_in_tcp_rows, run_json, silent_after, tcp_rows,
)

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

# Arguments, and what is said of them.
WRONG_FLAGS = (
    (["--closed", "--bogus"], "--bogus"),
    (["--closed", "-c", "0"], "--connections: Value 0 not in range"),
    (["--closed", "-c", "many"], "--connections: Value many"),
    (["--closed", "-n", "-5"], "--count: "),
    (["--closed", "-n", "1.5"], "--count = 1.5"),
    (["--closed", "--seed", "-1"], "--seed: "),
    (["--rate", "10", "--max-backlog", "-1"], "--max-backlog: "),
    (["--closed", "--cpus", "-1"], "--cpus: "),
    (["--closed", "-t", "3", "-c", "2"], "--threads 3: expected 1 to the number of connections"),
    (["--closed", "--depth", "0"], "--depth 0: expected 1 to"),
    (["--closed", "--size", "0"], "--size and --answer-size: expected 1 to"),
    (["--closed", "--timeout", "5"], '--timeout 5: "5" has no unit'),
    (["--closed", "--timeout", "0s"], "--timeout 0s: expected more than nothing"),
    (["--closed", "--connect-timeout", "0s"], "--connect-timeout 0s: expected more than nothing"),
    (["--closed", "--interval", "0s"], "--interval 0s: expected more than nothing"),
    (["--closed", "-d", "0s"], "--duration 0s: expected more than nothing"),
    (["--closed", "--warmup", "20s"], "--warmup 20s leaves nothing of the 10s"),
    (["--rate", "0"], 'the rate "0" is too low'),
    (["--rate", "10", "--burst", "0"], "--burst: Value 0 not in range"),
    (["--closed", "--burst", "2"], "--burst means nothing here: it is for the open loop"),
    (["--closed", "--no-catchup"], "--no-catchup means nothing here: it is for the open loop"),
    (["--rate", "10", "--no-catchup", "--max-backlog", "1"], "--max-backlog means nothing here"),
    (["--rate", "10", "--closed"], "one of --rate, --ramp, --steps"),
    (["--ramp", "1:2"], '"1:2" is not a ramp'),
    (["--closed", "--source", "300.1.1.1"], '"300.1.1.1" is no source address'),
    (["--closed", "--connect-to", "nowhere"], "--connect-to: "),
    (["--closed", "--keepalive-requests", "5:3"], "--keepalive-requests 5:3: expected two numbers"),
    (["--closed", "--keepalive-requests", "0"], "--keepalive-requests 0: expected two numbers"),
    (["--closed", "--mode", "conn", "--keepalive-requests", "3"],
     "--keepalive-requests means nothing here: it is for modes rr and http"),
    (["--closed", "--sndbuf", "0"], "--sndbuf: Value 0 not in range"),
    (["--closed", "--rcvbuf", "x"], "--rcvbuf: Value x"),
    (["--closed", "--port-range", "1:70000"], "--port-range 1:70000: expected two numbers from 1"),
    (["--closed", "--proxy-proto", "v3"], "--proxy-proto v3: expected one of v1, v2"),
    (["--closed", "--proxy-proto", "v1=x"], '--proxy-proto: "x" is no address'),
    (["--closed", "--proxy-proto", "v1=::1"], "is no address of the same family"),
    (["--closed", "--prom", "x"], "--prom x: expected a port, or an address and a port"),
    (["tls://127.0.0.1:1", "--closed"], "of several targets, all have to be of one scheme"),
    (["--closed", "--label", "x"], "--label x: expected NAME=TEXT"),
    (["--closed", "--tls", "--tls-version", "1.1"], "--tls-version 1.1: expected one of 1.2, 1.3"),
)


@test("load tool, each wrong flag is told by a sentence that names it, before anything is sent")
def wrong_flags(t):
    backend = fleet.Backend(t, fleet.echo)
    for arguments, said in WRONG_FLAGS:
        done = load(t, backend.address, *arguments)
        expect((done.returncode, done.stdout) == (64, ""), f"{arguments}: {done}")
        expect(said in done.stderr and "--help" in done.stderr, f"{arguments}: {done.stderr}")
    for target, said in (("127.0.0.1:99999", '"99999" is no port'), ("127.0.0.1", "has no port")):
        done = load(t, target, "--closed")
        expect((done.returncode, done.stdout) == (64, ""), f"{target}: {done}")
        expect(said in done.stderr, f"{target}: {done.stderr}")
    done = load(t, backend.address, "--closed", "--cpus", "100000")
    expect((done.returncode, done.stdout) == (1, ""), f"{done}")
    expect("cannot run on CPU 100000" in done.stderr, done.stderr)
    expect(backend.accepted == 0, f"{backend.accepted} connections were opened")


@test("load tool, a target that is not there is told at once where connections are to stay")
def unreachable(t):
    nobody = fleet.refused_address()
    full = fleet.fill_backlog(t, f"{fleet.next_host()}:0")
    actor = adversary.Adversary(t)
    mute = actor.server(lambda peer: peer.until_end(), "mute", expected=(OSError,))
    short = ["--connect-timeout", "400ms"]
    for target, options, said in (
        (nobody, [], "connection refused"),
        (f"http://{nobody}/", ["--mode", "http"], "connection refused"),
        (f"tls://{nobody}", [], "connection refused"),
        (full, short, "no connection in time"),
        (f"unix:{t.dir}/nothing", [], "No such file or directory"),
        (f"tls://{mute.address}", short, "no TLS handshake in time"),
    ):
        done = load(t, target, "--rate", 10, "-c", 2, *options)
        expect((done.returncode, done.stdout) == (1, ""), f"{target}: {done}")
        expect(f"cannot reach {target}: " in done.stderr and said in done.stderr, done.stderr)


@test("load tool, where each operation connects, a target that is not there fails every one")
def unreachable_one_each(t):
    nobody = fleet.refused_address()
    for mode in ("conn", "tls"):
        done, own = run_json(t, nobody, "--mode", mode, "--rate", 100, "-n", 30, "-c", 8)
        expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
        expect(own["errors"] == {"connect_refused": 30}, f"{own['errors']}")
        expect(own["errnos"] == {"111": 30} and own["count"]["operations"] == 0, f"{own}")
        expect(own["count"]["connections_failed"] == 30, f"{own['count']}")
        expect(re.search(r"^verdict +FAILED: no operation went well$", done.stdout, re.M),
               done.stdout)


@test("load tool, connections that cannot be had are counted, and no operation fails of them")
def partly_reachable(t):
    backend = fleet.Backend(t, fleet.echo)
    # Every other connection is to come from an address that no machine has (RFC 5737), and the next
    # attempt is another's turn.
    done, own = run_json(t, backend.address, "--rate", 100, "-n", 50, "-c", 4, "--source",
                         "127.0.0.1,192.0.2.1")
    count = own["count"]
    expect(done.returncode == 0 and own["errors"] == {}, f"{done.stdout}")
    expect(count["operations"] == 50 and count["connections"] == 4, f"{count}")
    expect(count["connections_failed"] == 2, f"{count}")
    told = "4 opened; 2 attempts failed"
    expect(told in done.stdout and "Cannot assign requested address" in done.stdout, done.stdout)


def greets(stream):
    """Handler: speaks first, and answers whatever comes with a line of its own."""
    stream.sendall(b"SSH-2.0-made_up\r\n\r\n")
    while stream.recv():
        stream.sendall(b"Protocol mismatch.\r\n")


@test("load tool, garbage fails every operation in each mode, as what it is")
def garbage(t):
    backend = fleet.Backend(t, greets, expected=(OSError,))
    for target, mode, error in (
        (backend.address, "rr", "corrupt"),
        (backend.address, "conn", "corrupt"),
        (backend.address, "tls", "handshake_failed"),
        (f"http://{backend.address}/", "http", "bad_response"),
        (f"http://{backend.address}/", "conn", "bad_response"),
    ):
        before = backend.accepted
        done, own = run_json(t, target, "--mode", mode, "--rate", 100, "-n", 20, "-c", 4)
        count = own["count"]
        expect(done.returncode == 1, f"{mode}: exit {done.returncode}: {done.stdout}")
        expect(own["errors"] == {error: 20}, f"{mode}: {own['errors']}")
        expect(count["operations"] == 0 and count["unsent"] == 0, f"{mode}: {count}")
        expect(count["connections"] == backend.accepted - before, f"{mode}: {count}")
        # A greeting that came when nothing had been asked is no operation's; of the last ones, one
        # on each connection, nobody may have taken notice any more.
        unasked = count["connections"] - 20
        noticed = count["corrupt_streams"] - (20 if error == "corrupt" else 0)
        expect(max(0, unasked - 4) <= noticed <= unasked, f"{mode}: {unasked} unasked, {count}")
        expect(re.search(r"^verdict +FAILED: no operation went well$", done.stdout, re.M),
               done.stdout)
    for target, mode in ((f"tls://{backend.address}", "rr"), (f"https://{backend.address}", "http")):
        done = load(t, target, "--mode", mode, "--rate", 10, "-c", 2)
        expect((done.returncode, done.stdout) == (1, ""), f"{target}: {done}")
        expect("TLS handshake failed: " in done.stderr, f"{target}: {done.stderr}")


def interrupted(t, running, number=signal.SIGINT):
    """Ends it with a signal; what it printed and its JSON, which both say so."""
    running.process.send_signal(number)
    done, own = running.finish()
    expect(own["run"]["interrupted"] is True, f"{own['run']}")
    expect("these are partial results" in done.stdout, done.stdout)
    return done, own


@test("load tool, Ctrl-C or SIGTERM in any mode: what was done until then, marked as partial")
def interrupted_in_each_mode(t):
    echo = fleet.Backend(t, fleet.echo, expected=(OSError,))
    nginx = fleet.Nginx(t, "a")
    secure = t.front([echo], "tls13")
    http = f"http://{nginx.address}/"
    open_loop, closed_loop = ["--rate", 200], ["--closed"]
    for target, mode, loop, number in (
        (echo.address, "rr", closed_loop, signal.SIGINT),
        (echo.address, "conn", open_loop, signal.SIGTERM),
        (secure.address(), "tls", closed_loop, signal.SIGINT),
        (http, "http", open_loop, signal.SIGTERM),
    ):
        running = Running(t, target, "--mode", mode, *loop, "-d", "60s", "-c", 4, "--interval",
                          "100ms", "--csv", t.dir / "run.csv", "--hgrm", t.dir / "run.hgrm")
        running.process.stdout.readline()
        done, own = interrupted(t, running, number)
        rows = csv.DictReader(io.StringIO((t.dir / "run.csv").read_text()))
        expect({row["interrupted"] for row in rows} == {"1"}, f"{mode}: the CSV says so, too")
        mark = (t.dir / "run.hgrm").read_text().splitlines()[-1]
        expect(mark == "#[Partial = the run was interrupted]", f"{mode}: {mark}")
        expect(done.returncode == 0, f"{mode}: exit {done.returncode}: {done.stdout}")
        expect(own["errors"] == {} and own["count"]["operations"] > 0, f"{mode}: {own['count']}")
        expect(own["run"]["duration_ns"] < 30e9, f"{mode}: {own['run']['duration_ns']}")
        expect(re.search(r"^verdict +INTERRUPTED: partial results$", done.stdout, re.M),
               done.stdout)


@test("load tool, Ctrl-C while nobody answers: what hangs is counted, as the server has read it")
def interrupted_while_hanging(t):
    actor = adversary.Adversary(t)
    ledger = Ledger(8)
    server = actor.server(answering(ledger, 3, silent_after(0)))
    running = Running(t, server.address, "--rate", 200, "-d", "60s", "-c", 8, "--size", ledger.size,
                      "--max-backlog", 10)
    until(lambda: ledger.spoilt == 8, 10, "all connections hang")
    done, own = interrupted(t, running)
    count = own["count"]
    waited = own["errors"]["unfinished"] - 8
    expect(own["errors"].keys() == {"unfinished"} and 0 <= waited <= 10, f"{own['errors']}")
    expect(own["run"]["in_flight_at_deadline"] == 8 + waited, f"{own['run']}")
    expect(count["operations"] == ledger.answers == 16, f"{count} {vars(ledger)}")
    expect(count["bytes_out"] == ledger.bytes_in == 24 * ledger.size, f"{count} {vars(ledger)}")
    expect(count["unsent"] == 0 or waited == 10, f"{count}")
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}")


PATIENCE_S = 1  # the tool's, for what is under way when the first signal comes


def seconds_after_second(t, first, second, wait):
    """Two signals while a request is under way that nobody answers and another connection is idle;
    how long it goes on after the second. `wait`: not before the first has been taken notice of.
    """
    actor = adversary.Adversary(t)
    asked, idle_ended = [], []

    def script(peer):
        try:
            yield from peer.receive(64)
        except EOFError:
            idle_ended.append(peer)
            return
        asked.append(peer)
        yield from peer.until_end()

    server = actor.server(script, expected=(OSError,))
    running = Running(t, server.address, "--rate", 10, "-n", 1, "-c", 2, "-d", "60s", "--timeout",
                      "60s")
    until(lambda: asked, 10, "it waits for an answer")
    running.process.send_signal(first)
    if wait:
        until(lambda: idle_ended, 10, "the idle connection is ended", pause=0.001)
    begin = time.monotonic()
    running.process.send_signal(second)
    done, own = running.finish()
    took = time.monotonic() - begin
    expect(own["run"]["interrupted"] is True, f"{own['run']}")
    expect(own["errors"] == {"unfinished": 1}, f"{own['errors']}")
    expect("INTERRUPTED: no operation had gone well" in done.stdout, done.stdout)
    return took


@test("load tool, a second Ctrl-C ends it at once, what hangs is unfinished, results are partial")
def interrupted_twice(t):
    for first, second, wait in (
        (signal.SIGINT, signal.SIGINT, True),
        (signal.SIGTERM, signal.SIGINT, False),  # both may be there before it looks
    ):
        # The machine may hold it up, but it may not wait by itself.
        took = [seconds_after_second(t, first, second, wait)]
        while took[-1] > 0.8 * PATIENCE_S and len(took) < 3:
            took.append(seconds_after_second(t, first, second, wait))
        expect(min(took) <= 0.8 * PATIENCE_S, f"{first}, {second}: it went on for {took} s")


def connecting(address):
    """Connects to this address that have had no answer."""
    remote = as_in_tcp_rows(address)
    return sum(row[2] == remote and row[3] == "02" for row in tcp_rows())


@test("load tool, Ctrl-C while it cannot connect ends it, and no operation went well")
def interrupted_while_connecting(t):
    full = fleet.fill_backlog(t, f"{fleet.next_host()}:0")
    before = connecting(full)
    running = Running(t, full, "--rate", 10, "-c", 2, "--connect-timeout", "60s")
    until(lambda: connecting(full) == before + 2, 5, "it connects")
    done, own = interrupted(t, running)
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect(own["count"]["operations"] == 0 and own["count"]["connections"] == 0, f"{own['count']}")
