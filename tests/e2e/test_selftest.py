"""penstock-load selftest: the checks that no clock decides hold, and every figure is printed."""
import functools
import re
import signal
import subprocess

import pace
import suite
from suite import Skip, expect

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))
# Name, expected, measured, deviation (not of every figure), verdict.
FIGURE = re.compile(
    r"^  (\S.{41}) *(\S.*?)  +(\S.*?)  +(?:([-+.0-9]+%|0)  +)?(holds|FAILS|-)$", re.M)
VERDICT = re.compile(r"^  (?! )(?!check ).*  (?:holds|FAILS|-)$", re.M)


def command(t, *arguments):
    path = t.binary.parent / "penstock-load"
    if not path.is_file():
        raise Skip("penstock-load is not built beside penstock")
    return [path, "selftest", *map(str, arguments)]


def selftest(t, *arguments, seconds=60):
    limit = pace.slow(seconds)
    return subprocess.run(command(t, *arguments), capture_output=True, text=True, timeout=limit,
                          check=False)


def figures(text):
    """{name: (expected, measured, deviation, verdict)} of the last try."""
    return {found[0].strip(): found[1:] for found in FIGURE.findall(text)}


@test("selftest, the checks of omission, counters, histogram and integrity hold, figure by figure",
      limit=60)
def checks_hold(t):
    tries = 6 if t.small else 3  # a sanitizer's own time is no part of the closed form of check 2
    done = selftest(t, "--only", "5,2,4,8,2", "--duration", "2s", "--tries", tries)
    expect(done.returncode == 0 and not done.stderr, f"exit {done.returncode}: {done.stdout}"
           f"{done.stderr}")
    seen = figures(done.stdout)
    lines = VERDICT.findall(done.stdout)
    unread = [line for line in lines if not FIGURE.match(line)]
    expect(lines and not unread, f"figures with all that belongs to them: {unread}")
    for name in ("open loop: p90", "open loop: p99.9", "closed loop: label", "rr: bytes sent",
                 "conn, rst: connections", "https: handshakes", "open loop: sum of all classes",
                 "values", "p99.999", "(a + b) + c and a + (b + c)", "clean: errors",
                 "one bit a stream: corrupt streams", "one bit a stream: the first one's place"):
        expect(name in seen and seen[name][3] == "holds", f"{name}: {done.stdout}")
    expect(seen["values"][1] == "10000000", f"{seen['values']}")
    expect(int(seen["one bit a stream: corrupt streams"][1]) > 0, "a bit was wrong at all")
    expect([int(line.split()[1].rstrip(",")) for line in done.stdout.splitlines()
            if re.match(r"check \d", line)] == [2, 4, 5, 8], f"each once, in order: {done.stdout}")
    expect(done.stdout.endswith("verdict  OK: 4 of 4 hold, 0 skipped\n"), done.stdout)
    for line in lines:
        t.say(line.strip())


@test("selftest, Ctrl-C ends it promptly and the verdict says so; wrong usage is told", limit=40)
def interrupted(t):
    process = subprocess.Popen(command(t, "--only", "2,4", "-d", "10m"), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    t.defer(process.kill)
    suite.until(lambda: process.stdout.readline().startswith("check 2"), 10, "the first check")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=pace.slow(10))
    expect(process.returncode == 1 and not errors, f"exit {process.returncode}: {rest}{errors}")
    expect("  interrupted: these are not all the figures\n" in rest, rest)
    expect(rest.endswith("verdict  INTERRUPTED: 0 of 2 hold, 0 skipped\n"), rest)
    for wrong in (["--only", "9"], ["--only", "0"], ["--tries", "0"], ["-d", "1ms"], ["-d", "x"]):
        done = selftest(t, *wrong, seconds=10)
        expect(done.returncode == 64 and done.stderr, f"{wrong}: {done}")
