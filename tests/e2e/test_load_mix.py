"""penstock-load's scenarios: several loads at once, each judged, told of and written for itself;
the counters of their target are the sum of them all.
"""
import functools
import json
import re
import signal
import subprocess

import fleet
import pace
import suite
from suite import expect
from test_load import Serve, load, tool

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

THREE = """
duration = "1s"
rate = 400

[[load]]
name = "api"
mode = "rr"
weight = 3
connections = 4
size = 200

[[load]]
name = "clients"
mode = "conn"
weight = 1

[[load]]
name = "late_bulk"
mode = "bulk"
start = "400ms"
duration = "300ms"
direction = "both"
connections = 2
active = 0
"""


def scenario(t, text):
    path = t.dir / "mix.toml"
    path.write_text(text)
    return path


def told(t, name):
    """What the JSON file of a load says."""
    return json.loads((t.dir / f"run-{name}.json").read_text())


def verdicts(text):
    """The last table: the load and what became of it."""
    rows = text.rpartition("verdict\n")[2].splitlines()
    return {row.split()[0]: re.split(r"  +", row)[-1] for row in rows}


@test("load tool, mix: what three loads count is together what their server has counted")
def mix(t):
    serve = Serve(t)
    page = t.dir / "all.html"
    done = load(t, serve.address, "--mode", "mix", "--scenario", scenario(t, THREE), "--label",
                "build=x", "--json", t.dir / "run.json", "--csv", t.dir / "run.csv", "--hgrm",
                t.dir / "run.hgrm", "--html", page)
    seen = serve.stop()
    expect(done.returncode == 0 and not done.stderr, f"exit {done.returncode}: {done}")
    runs = {name: told(t, name) for name in ("api", "clients", "late_bulk")}
    for name, run in runs.items():
        labels = {"name": "load", "text": name}, {"name": "build", "text": "x"}
        expect(run["run"]["settings"]["labels"] == list(labels), f"{name}: {run['run']}")
        expect(run["errors"] == {}, f"{name}: {run['errors']}")
        expect(re.search(rf"^{name} +\S+ +\S+/s  p50 ", done.stdout, re.M), done.stdout)
        expect((t.dir / f"run-{name}.csv").read_text().startswith("offset_s,"), name)
        expect("#[Mean" in (t.dir / f"run-{name}.hgrm").read_text(), name)
        expect(name in page.read_text(), name)
    count = {key: sum(run["count"][key] for run in runs.values()) for key in
             ("connections", "bytes_in", "bytes_out", "operations", "streams")}
    expect(count["operations"] == 400 and count["streams"] == 2, f"{count}")
    expect(runs["api"]["count"]["operations"] == 300, f"{runs['api']['count']}")
    expect(seen["accepted"] == seen["closed"] == count["connections"], f"{count} {seen}")
    expect(count["bytes_out"] == seen["bytes_in"], f"{count} {seen}")
    expect(count["bytes_in"] == seen["bytes_out"] > 1_000_000, f"{count} {seen}")
    starts = {name: run["run"]["start_ns"] for name, run in runs.items()}
    expect(starts["api"] == starts["clients"] == 0 < 400_000_000 < starts["late_bulk"], f"{starts}")
    expect(runs["api"]["run"]["duration_ns"] == 1_000_000_000, f"{runs['api']['run']}")
    expect(set(verdicts(done.stdout)) == set(runs), done.stdout)


def two(target, first="", second="", start="0s"):
    return f"""
    target = "{target}"
    duration = "300ms"
    [[load]]
    name = "first"
    rate = 100
    connections = 2
    {first}
    [[load]]
    name = "second"
    rate = 100
    connections = 2
    start = "{start}"
    {second}
    """


@test("load tool, mix: the exit code is that of the load that fared worst")
def exit_codes(t):
    echo = fleet.Backend(t, fleet.echo)
    nobody = fleet.refused_address()
    fails = 'assert = "p50>1h"'
    wrong = f'mode = "conn"\ntarget = "{nobody}"'
    for first, second, exit_code, said in (
        ("", 'assert = "ops>0"', 0, {"first": "OK", "second": "OK"}),
        ("", fails, 3, {"first": "OK", "second": "FAILED: an assertion does not hold"}),
        (fails, wrong, 1, {"first": "FAILED: an assertion does not hold",
                           "second": "FAILED: no operation went well"}),
    ):
        done = load(t, "--scenario", scenario(t, two(echo.address, first, second)))
        # That the generator was too busy may be all that is wrong.
        unfit = exit_code == 0 and done.returncode == 4
        expect(done.returncode == exit_code or unfit, f"exit {done.returncode}: {done}")
        expect(verdicts(done.stdout) == said or unfit, done.stdout)


@test("load tool, mix: a load that cannot begin is told of and ends the others, with their results")
def unreachable(t):
    echo = fleet.Backend(t, fleet.echo)
    there = f'target = "{fleet.refused_address()}"'
    done = load(t, "--scenario", scenario(t, two(echo.address, second=there)))
    expect((done.returncode, done.stdout) == (1, ""), f"{done}")
    expect("load second: cannot reach " in done.stderr, done.stderr)
    late = two(echo.address, 'duration = "60s"', there, start="250ms")
    done = load(t, "--scenario", scenario(t, late), "--json", t.dir / "run.json")
    expect(done.returncode == 1 and "load second: cannot reach " in done.stderr, f"{done}")
    first = told(t, "first")
    expect(first["run"]["interrupted"] and first["count"]["operations"] > 0, f"{first['run']}")
    expect(verdicts(done.stdout) == {"first": "INTERRUPTED: partial results",
                                     "second": "did not begin"}, done.stdout)
    expect(not (t.dir / "run-second.json").exists(), "there is nothing to write of it")


@test("load tool, mix: Ctrl-C ends all loads at once, and what they did is marked as partial")
def interrupted(t):
    echo = fleet.Backend(t, fleet.echo, expected=(OSError,))
    path = scenario(t, f"""
    target = "{echo.address}"
    duration = "60s"
    [[load]]
    name = "open"
    rate = 200
    interval = "50ms"
    [[load]]
    name = "closed"
    mode = "conn"
    closed = true
    connections = 2
    interval = "50ms"
    [[load]]
    name = "later"
    rate = 200
    start = "50s"
    """)
    command = [tool(t), "run", "--scenario", path, "--json", t.dir / "run.json"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    t.defer(process.kill)
    busy = set()
    while busy != {"open", "closed"}:
        line = process.stdout.readline()
        expect(line, "it ended by itself")
        # Some operations a second in this interval.
        if re.search(r"^\S+ +\S+ +(?!0/)\S+/s  p50 ", line):
            busy.add(line.split()[0])
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=pace.slow(10))
    expect(process.returncode == 0 and not errors, f"exit {process.returncode}: {out} {errors}")
    for name in busy:
        run = told(t, name)
        done = run["count"]["operations"]
        expect(run["run"]["interrupted"] and done > 0, f"{name}: {run['run']}")
        expect(run["run"]["duration_ns"] < 30e9 and run["errors"] == {}, f"{name}: {run['run']}")
    expect(out.count("these are partial results") == 2, out)
    said = "INTERRUPTED: partial results"
    expect(verdicts(out) == {"open": said, "closed": said, "later": "did not begin"}, out)


@test("load tool, mix: what makes no scenario is refused by a sentence, before anything is sent")
def misused(t):
    echo = fleet.Backend(t, fleet.echo)
    good = scenario(t, two(echo.address))
    for arguments, said in (
        (["--mode", "mix"], "--mode mix needs --scenario FILE"),
        (["--mode", "mix", "--rate", 5, echo.address], "--mode mix needs --scenario FILE"),
        (["--scenario", good, "--mode", "rr"], "with --scenario the mode is mix"),
        (["--scenario", good, "--rate", 5], "--rate means nothing here: with --scenario"),
        (["127.0.0.1:1", "127.0.0.1:2", "--scenario", good], "with --scenario there is one target"),
        (["--scenario", good, "-d", "5s"], "--duration means nothing here: with --scenario"),
    ):
        done = load(t, *arguments)
        expect((done.returncode, done.stdout) == (64, ""), f"{arguments}: {done}")
        expect(said in done.stderr and "--help" in done.stderr, f"{arguments}: {done.stderr}")
    bad = scenario(t, 'target = "127.0.0.1:1"\n[[load]]\nname = "a"\nrate = 1\nsize = 0\nx = 1\n')
    for path, said in ((t.dir / "none.toml", ":1:1: cannot open the scenario: No such file or"),
                       (bad, ":6:1: unknown key x; ")):
        done = load(t, "--scenario", path)
        expect((done.returncode, done.stdout) == (64, ""), f"{path}: {done}")
        expect(done.stderr.startswith(f"{path}{said}"), done.stderr)
    expect(echo.accepted == 0, f"{echo.accepted} connections were opened")
