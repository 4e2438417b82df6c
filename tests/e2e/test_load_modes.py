"""penstock-load's modes without operations of their own: bulk streams, idle connections, hostile
clients, each with well-behaved requests beside them; and what TLS connections can be told.
"""
import functools
import json
import re
import socket
import subprocess
import threading

import fleet
import suite
from suite import expect
from test_load import Serve, load

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))


def run(t, *arguments, exit_code=0):
    """The JSON of a run that ended with this exit code, and its text."""
    results = t.dir / "run.json"
    done = load(t, *arguments, "--json", results)
    text = f"{done.stdout}{done.stderr}"
    expect(done.returncode == exit_code, f"exit {done.returncode}: {text}")
    return json.loads(results.read_text()), done.stdout


def secured(t):
    folder = t.shared.certificates()
    return ["--certificate", folder / "server.pem", "--key", folder / "server.key"]


@test("load tool, bulk: both directions are whole to the byte, requests go on beside them")
def bulk(t):
    for options in ((), secured(t)):
        serve = Serve(t, *options)
        shape = ["-c", 4, "-t", 2, "-d", "1s", "--rate", 50, *(["--tls"] if options else [])]
        told, text = run(t, serve.address, "--mode", "bulk", "--direction", "both", *shape)
        seen = serve.stop()
        count, streams = told["count"], told["run"]["streams"]
        expect(count["streams"] == 4 and all(each["whole"] for each in streams), f"{count}")
        expect(told["errors"] == {} and count["operations"] == 50, f"{told['errors']} {count}")
        expect(count["bytes_out"] == seen["bytes_in"], f"{count} {seen}")
        expect(count["bytes_in"] == seen["bytes_out"], f"{count} {seen}")
        up = sum(each["bytes"] for each in streams if each["up"])
        expect(up == seen["verified"] > 1_000_000, f"{streams} {seen}")
        for way in ("up", "down"):
            expect(re.search(rf"^{way} +[\d.]+ [GM]bit/s by 2 streams, ", text, re.M), text)


@test("load tool, bulk: a sink and a source that know nothing of it do without a check")
def bulk_unchecked(t):
    for kind, way in (("sink", "up"), ("source", "down")):
        serve = Serve(t, kind)
        told, _ = run(t, serve.address, "--mode", "bulk", "--direction", way, "-d", "500ms",
                      "--no-verify", "--active", 0)
        seen = serve.stop()
        count = told["count"]
        expect(count["streams"] == 1 and told["errors"] == {}, f"{kind}: {told}")
        expect(count["bytes_out"] + count["bytes_in"] > 1_000_000, f"{kind}: {count}")
        expect(count["bytes_out"] == seen["bytes_in"], f"{kind}: {count} {seen}")
        expect(count["bytes_in"] == seen["bytes_out"], f"{kind}: {count} {seen}")


@test("load tool, hold: idle connections are there until the end, and what each costs is told")
def hold(t):
    serve = Serve(t)
    told, text = run(t, serve.address, "--mode", "hold", "-c", 500, "--dials", "1k", "-d", "1s",
                     "--watch-pid", serve.process.pid, "--rate", 20, "--active", 4)
    seen = serve.stop()
    expect(told["count"]["streams"] == 500 and told["errors"] == {}, f"{told['count']}")
    expect(told["count"]["operations"] == 20, f"{told['count']}")
    expect(seen["accepted"] == seen["closed"] == 504, f"{seen}")
    expect("500 of 500 idle connections until the end" in text, text)
    samples = told["run"]["watched"]
    expect(samples[0]["descriptors"] + 500 <= max(each["descriptors"] for each in samples),
           f"{samples}")
    expect(samples[0]["rss_bytes"] > 0, f"{samples[0]}")
    expect(re.search(rf"^pid {serve.process.pid} .* before, .* at most: .* a connection$", text,
                     re.M), text)


@test("load tool, hold: connections that the target ends are errors, and others take their places")
def hold_lost(t):
    listener = socket.create_server((fleet.next_host(), 0), backlog=64)
    t.defer(listener.close)
    accepted = []

    def end_some():
        for number in range(12):
            connection = listener.accept()[0]
            accepted.append(connection)
            if number < 3:
                connection.close()

    threading.Thread(target=end_some, daemon=True).start()
    address = "{}:{}".format(*listener.getsockname())
    told, _ = run(t, address, "--mode", "hold", "-c", 9, "-d", "500ms", "--active", 0)
    expect(told["errors"] == {"idle_lost": 3}, f"{told['errors']}")
    expect(told["count"]["streams"] == 9 and told["count"]["connections"] == 12, f"{told['count']}")
    for connection in accepted:
        connection.close()


@test("load tool, chaos: hostile clients of each kind, the others are served meanwhile")
def chaos(t):
    serve = Serve(t)
    told, _ = run(t, serve.address, "--mode", "chaos", "-c", 12, "--dials", 120, "-d", "1s")
    seen = serve.stop()
    tallies = {each["name"]: each["count"] for each in told["run"]["tallies"]}
    for kind in ("slowloris", "half-hello", "zero-window", "garbage", "silent"):
        held = tallies.get(f"{kind}: held until the end", 0)
        expect(held == tallies.get(f"{kind}: connected") == 2, f"{kind}: {tallies}")
    expect(tallies["reset: reset by us"] >= 5, f"{tallies}")
    expect(told["count"]["operations"] == 100 and told["errors"] == {}, f"{told['count']}")
    expect(seen["accepted"] == told["count"]["connections"], f"{seen} {told['count']}")
    told, _ = run(t, Serve(t, "http").address, "--mode", "chaos", "--chaos", "silent,reset",
                  "-c", 4, "--active", 0, "-d", "300ms")
    names = {each["name"].partition(":")[0] for each in told["run"]["tallies"]}
    expect(names == {"silent", "reset"}, f"{names}")


@test("load tool, tls: sessions are resumed, names asked for in turn, certificates shown")
def tls_options(t):
    serve = Serve(t, *secured(t))
    told, _ = run(t, serve.address, "--mode", "tls", "--closed", "-c", 1, "-n", 40,
                  "--resume", 0.5, "--sni", "a.example,b.example")
    seen, count = serve.stop(), told["count"]
    expect(count["operations"] == 40 == seen["handshakes"], f"{count} {seen}")
    expect(18 <= count["handshakes_resumed"] == count["sessions_offered"] <= 20, f"{count}")
    expect(count["handshakes_full"] + count["handshakes_resumed"] == 40, f"{count}")
    # In TLS 1.3 the session comes after the handshake, and a reset does not wait for it.
    told, text = run(t, Serve(t, *secured(t)).address, "--mode", "tls", "--closed", "-c", 1,
                     "-n", 5, "--resume", 1, "--close", "rst", "--tls-version", "1.3")
    expect(told["count"]["sessions_offered"] == 0 == told["count"]["handshakes_resumed"], f"{told}")
    expect("has given no session that could be resumed" in text, text)


@test("load tool, tls: a client certificate is shown to a server that asks for one")
def client_certificate(t):
    folder = t.shared.certificates()
    command = ["openssl", "s_server", "-accept", f"{fleet.next_host()}:0", "-Verify", "1",
               "-verify_return_error", "-CAfile", t.shared.ca,
               "-cert", folder / "server.pem", "-key", folder / "server.key"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    t.defer(server.kill)
    address = next(line.split()[1] for line in server.stdout if line.startswith("ACCEPT"))
    # In TLS 1.3 a client learns of a refusal after the handshake.
    shape = [address, "--mode", "tls", "--closed", "-c", 1, "-n", 5, "--tls-version", "1.2"]
    threading.Thread(target=server.stdout.read, daemon=True).start()
    told, _ = run(t, *shape, *secured(t))
    expect(told["count"]["operations"] == 5 and told["errors"] == {}, f"{told}")
    told, _ = run(t, *shape, exit_code=1)
    expect(told["errors"] == {"handshake_failed": 5}, f"{told['errors']}")


@test("load tool, what of the modes and their options does not fit together is refused")
def misfits(t):
    address = "127.0.0.1:1"
    for arguments, complaint in (
            (["--mode", "bulk", "--direction", "both"], "needs two streams"),
            (["--mode", "bulk", "--direction", "left"], "expected one of up, down, both"),
            (["--mode", "hold", "--active", 0, "--rate", 5], "--active 0"),
            (["--mode", "hold", "--closed"], "--closed means nothing"),
            (["--mode", "chaos", "-c", 3], "each needs one"),
            (["--mode", "chaos", "--chaos", "rude"], "expected one of slowloris"),
            (["--mode", "hold", "-n", 5], "--count means nothing here"),
            (["--rate", 5, "--active", 5], "--active means nothing here"),
            (["--rate", 5, "--tls", "--certificate", "x"], "--key")):
        done = load(t, address, *arguments)
        expect(done.returncode == 64 and complaint in done.stderr, f"{arguments}: {done.stderr}")
    done = load(t, address, "--rate", 5, "--watch-pid", 999999999)
    expect(done.returncode == 1 and "no process 999999999" in done.stderr, done.stderr)
