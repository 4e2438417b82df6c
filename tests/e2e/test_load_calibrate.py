"""penstock-load calibrate: each case is measured and told in a line, and nothing else is said."""
import functools
import re
import signal
import subprocess

import suite
from suite import Skip, expect, until

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))
HEAD = re.compile(r"penstock-load [\d.]+ calibrate: \S+ a measurement; server .*; load average ")
# Text, ceiling, CPU time each, the rate of the open loop, p50, p99, p99.9, p99 of the lag.
ROW = re.compile(r"^(\S.*?) {2,}(\S+)/s +(\S+) +(\S+)/s +(\S+) +(\S+) +(\S+) +(\S+)$", re.M)
BULK = re.compile(r"^(\S.*?) {2,}(\S+) Gbit/s +(\S+)/GB$", re.M)
SCALE = {"": 1, "k": 1e3, "M": 1e6, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}


def number(text):
    digits, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", text).groups()
    return float(digits) * SCALE[unit]


def start(t, *arguments):
    path = t.binary.parent / "penstock-load"
    if not path.is_file():
        raise Skip("penstock-load is not built beside penstock")
    process = subprocess.Popen([path, "calibrate", *arguments], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    t.defer(process.kill)
    return process


@test("calibrate tells a ceiling, the CPU time for it and the latencies at half of it")
def calibrates(t):
    process = start(t, "--only", "rr-64,http,conn,rr-tls,tls,down", "--duration", "200ms")
    said, complaint = process.communicate(timeout=60)
    expect(process.returncode == 0 and not complaint, f"{process.returncode}: {said}{complaint}")
    lines = said.splitlines()
    expect(HEAD.match(lines[0]) and len(lines) == 8, said)
    rows = ROW.findall(said)
    expect(len(rows) == 5, said)
    for name, *values in rows:
        ceiling, cpu_each, half, p50, p99, p999, lag = map(number, values)
        expect(abs(half - ceiling / 2) <= 0.01 * ceiling, f"{name}: half of it: {said}")
        expect(0 < p50 <= p99 <= p999 and lag > 0 and cpu_each > 0, f"{name}: {said}")
        # A thread can use no more than a CPU, warming up and ending included.
        expect(ceiling * cpu_each < 3, f"{name}: {said}")
    streams = BULK.findall(said)
    expect(len(streams) == 1 and all(number(value) > 0 for value in streams[0][1:]), said)


@test("calibrate refuses what it cannot do, and ends at Ctrl-C")
def misused(t):
    wrong = ((["--only", "many"], "many"), (["--duration", "0s"], "more than nothing"),
             (["--cpus", "0"], "--cpus"), (["--cpus", "0,99999"], "CPU 99999"))
    for arguments, said in wrong:
        process = start(t, *arguments)
        output, complaint = process.communicate(timeout=20)
        expect((process.returncode, output) == (64, ""), f"{arguments}: {output}")
        expect(said in complaint, f"{arguments}: {complaint}")
    process = start(t, "--only", "rr-1", "--duration", "60s")
    until(process.stdout.readline, 10, "the head of the table")
    process.send_signal(signal.SIGINT)
    output, complaint = process.communicate(timeout=20)
    expect(process.returncode == 1 and not complaint, f"{process.returncode}: {complaint}")
    expect(output.endswith("interrupted\n") and not ROW.search(output), output)
