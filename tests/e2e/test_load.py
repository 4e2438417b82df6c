"""penstock-load: every operation counted, every stall seen, every wrong byte found."""
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import clients
import fleet
import pace
import suite
from suite import Skip, expect

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))


def tool(t):
    path = t.binary.parent / "penstock-load"
    if not path.is_file():
        raise Skip("penstock-load is not built beside penstock")
    return path


def load(t, *arguments, seconds=30):
    """Runs it to its end; the finished process with text output."""
    command = [tool(t), "run", *map(str, arguments)]
    limit = pace.slow(seconds)
    return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)


def operations(done):
    found = re.search(r"^operations +(\d+) went well; ", done.stdout, re.M)
    expect(found, f"a summary: {done.stdout} {done.stderr}")
    return int(found[1])


def expect_clean(done, count):
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout} {done.stderr}")
    expect(operations(done) == count, f"{count} operations: {done.stdout}")
    expect(re.search(r"^errors +none$", done.stdout, re.M), done.stdout)
    whole = r"^integrity +0 bytes lost, 0 streams corrupt$"
    expect(re.search(whole, done.stdout, re.M), done.stdout)


class Serve:
    """`penstock-load serve`, where `listen` says; stop() returns its counters."""

    def __init__(self, t, *arguments, listen=None):
        command = [tool(t), "serve", *map(str, arguments)]
        command += ["--listen", listen or f"{fleet.next_host()}:0", "-t", "2"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        t.defer(self.process.kill)
        self.address = re.fullmatch(r"serving on (.*)\n", self.process.stderr.readline())[1]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=pace.slow(10))
        expect(not errors and out, f"the counters, and nothing else: {out} {errors}")
        return json.loads(out)


@test("load tool, server and client count the same, for answers of any size and depth", limit=40)
def counted_alike(t):
    shapes = ((64, 64, 1), (64, 5000, 1), (3000, 10, 4), (300_000, 300_000, 4), (7, 70_000, 16))
    for size, answer, depth in shapes:
        count = t.count(300)
        serve = Serve(t)
        results = t.dir / "run.json"
        done = load(t, serve.address, "--closed", "-n", count, "-c", 4, "-t", 2, "--size", size,
                    "--answer-size", answer, "--depth", depth, "--json", results)
        expect_clean(done, count)
        seen = serve.stop()
        framed = size != answer
        expect(seen["wrong_streams"] == 0 and seen["lost"] == 0, f"{size}/{answer}: {seen}")
        expect(seen["accepted"] == seen["closed"] == 4, f"{size}/{answer}: {seen}")
        expect(seen["requests"] == (count if framed else 0), f"{size}/{answer}: {seen}")
        expect(seen["bytes_out"] == count * answer, f"{size}/{answer}: {seen}")
        prefaces = (seen["bytes_in"] - count * size) / 48  # of the connections that were used
        expect(prefaces in range(1, 5) if framed else prefaces == 0, f"{size}/{answer}: {seen}")
        own = json.loads(results.read_text())["count"]
        expect(own["bytes_in"] == seen["bytes_out"], f"{size}/{answer}: {own} {seen}")
        expect(own["bytes_out"] == seen["bytes_in"], f"{size}/{answer}: {own} {seen}")
        expect(own["operations"] == count, f"{size}/{answer}: {own}")


@test("load tool, http and TLS of its own server: whole answers of the size that was asked for")
def own_http(t):
    certificates = t.shared.certificates()
    secured = ["--certificate", certificates / "server.pem", "--key", certificates / "server.key"]
    for scheme, options in (("http", []), ("https", secured)):
        serve = Serve(t, "http", "--body-size", 5000, *options)
        results = t.dir / "run.json"
        done = load(t, f"{scheme}://{serve.address}/", "--mode", "http", "--closed", "-n", 200,
                    "-c", 4, "--json", results)
        expect_clean(done, 200)
        seen = serve.stop()
        own = json.loads(results.read_text())["count"]
        expect(seen["requests"] == 200 and seen["lost"] == 0, f"{scheme}: {seen}")
        expect(own["bytes_in"] == seen["bytes_out"] > 200 * 5000, f"{scheme}: {own} {seen}")
        expect(seen["handshakes"] == own["handshakes_full"] == 4 * (scheme == "https"), f"{seen}")


@test("load tool, a delay of two values shows in the percentiles as the server has taken it")
def two_point_delay(t):
    for _ in range(3):  # a machine that is busy elsewhere delays as well
        serve = Serve(t, "delay", "--delay", "2ms", "--other", "40ms", "--share", "0.1")
        results = t.dir / "delay.json"
        shape = ["--rate", 200, "-d", "2s", "-c", 40, "--json", results]
        expect_clean(load(t, serve.address, *shape), 400)
        taken = serve.stop()["delays_ns"]
        seen = json.loads(results.read_text())["measures"]["service"]["percentiles_ns"]
        beyond = {percent: seen[percent] - taken[percent] for percent in ("p50", "p99")}
        for percent, more in beyond.items():
            t.say(f"{percent}: {seen[percent] / 1e6:.2f} ms, {more / 1e6:.2f} ms over the delay")
            expect(more > 0, f"{percent}: no answer comes before its delay is over")
        if t.small or all(more < 2_000_000 for more in beyond.values()):
            return
    expect(False, f"three times more than was delayed: {beyond} ns")


@test("load tool, on a terminal the view is drawn over, elsewhere there is a line an interval")
def live_view(t):
    backend = fleet.Backend(t, fleet.echo)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    command = [tool(t), "run", backend.address, "--rate", "50", "-d", "1s", "--interval", "400ms"]
    process = subprocess.Popen(command, stdout=theirs)
    t.defer(process.kill)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:
        pass  # the other side has closed the terminal
    os.close(ours)
    expect(process.wait(pace.slow(10)) == 0, text.decode())
    expect(text.count(b"\x1b[3A\r") >= 2 and b"OPEN loop  [" in text, text.decode())
    done = load(t, *command[2:])
    expect(done.stdout.count("waiting") >= 2 and "\x1b" not in done.stdout, done.stdout)


@test("load tool, when one of its threads cannot start the others end, with a sentence")
def too_few_threads(t):
    if os.geteuid() != 0 or t.small:
        raise Skip("needs root, to become another user, and no sanitizer's threads")
    backend = fleet.Backend(t, fleet.echo)
    wrapper = [sys.executable, str(pathlib.Path(__file__).with_name("few_threads.py")), "3"]
    run = ["run", backend.address, "--closed", "-t", "8", "-d", "1s"]
    serve = ["serve", "--listen", f"{fleet.next_host()}:0", "-t", "8"]
    for arguments in (run, serve):
        command = [*wrapper, tool(t), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        expect(done.returncode == 1, f"{arguments}: {done}")
        expect("cannot start the thread" in done.stderr and "ulimit -u" in done.stderr, f"{done}")


@test("load tool, the server does not read from a client that does not read", limit=30)
def held_back(t):
    serve = Serve(t)
    with clients.connect(serve.address) as connection:
        connection.settimeout(1)
        sent = 0
        try:
            while sent < 256 << 20:
                sent += connection.send(b"z" * 65536)
        except TimeoutError:
            pass
        expect(sent < 64 << 20, f"{sent} bytes were taken from a client that reads nothing")
        connection.settimeout(10)
        received = 0
        while received < sent:
            received += len(connection.recv(1 << 20))
    seen = serve.stop()
    expect((seen["bytes_in"], seen["bytes_out"]) == (sent, sent), f"{sent}: {seen}")


@test("load tool, all operations of an open loop go through penstock and back, plain and TLS")
def through_penstock(t):
    backend = fleet.Backend(t, fleet.echo)
    for kind in ("plain", "tls13"):
        penstock = t.front([backend], kind)
        where = ("tls://" if kind != "plain" else "") + penstock.address()
        ca = [] if kind == "plain" else ["--ca", t.shared.ca, "--sni", "penstock.test"]
        shape = ["--rate", 300, "-d", "2s", "-c", 10, "--source", "127.0.0.0/28"]
        expect_clean(load(t, where, *shape, *ca), 600)
        closed = penstock.wait_counters(
            lambda seen: seen["sessions"]["active"] == 0, 5, "every session has ended"
        )["sessions"]
        expect(closed["accepted"] == 10, f"{kind}: {closed}")
        expect(closed["closed"] == {"finished": 10}, f"{kind}: {closed}")


@test("load tool, connections of their own, ended by FIN or RST, are counted alike on both sides")
def one_each(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    penstock = t.front([backend])
    done = load(t, penstock.address(), "--mode", "conn", "--closed", "-n", 200, "-c", 4)
    expect_clean(done, 200)
    done = load(t, penstock.address(), "--mode", "conn", "--closed", "-n", 100, "--close", "rst")
    expect_clean(done, 100)
    penstock.wait_counters(
        lambda seen: sum(seen["sessions"]["closed"].values()) == 300, 5, "300 sessions have ended"
    )


@test("load tool, handshakes are full ones and counted, one for each operation")
def handshakes(t):
    strict = ["--ca", t.shared.ca, "--sni", "another.test"]
    penstock = t.front([fleet.Backend(t, fleet.echo)], "tls13")
    done = load(t, penstock.address(), "--mode", "tls", "--closed", "-n", 50, "-c", 4)
    expect_clean(done, 50)
    expect("50 opened; TLS handshakes 50 full, 0 resumed" in done.stdout, done.stdout)
    done = load(t, penstock.address(), "--mode", "tls", "--closed", "-n", 3, "-c", 1, *strict)
    expect(done.returncode == 1 and "hostname mismatch" in done.stdout, f"{done}")
    # The certificate is for the address, too.
    expect_clean(load(t, f"tls://{penstock.address()}", "--closed", "-n", 5, "-c", 1, "--ca",
                      t.shared.ca), 5)
    done = load(t, penstock.address(), "--mode", "tls", "--closed", "--sni", "no host name")
    expect(done.returncode == 1 and "neither an IP address nor" in done.stderr, f"{done}")


def percentiles(path):
    """From an .hgrm file: seconds by percentile."""
    rows = re.findall(r"^\s*([\d.]+)\s+([\d.]+)\s+\d+", path.read_text(), re.M)
    return [(float(share) * 100, float(value) / 1000) for value, share in rows]


def quantile(table, percent):
    """The first value at or above the percentile."""
    return next(value for share, value in table if share >= percent)


@test("load tool, a server that is stopped for 2 s shows as it must", limit=60)
def coordinated_omission(t):
    if t.small:
        raise Skip("sanitizers and emulation are too slow to measure time with")
    nginx = fleet.Nginx(t, "a")
    duration = 6.0
    results = t.dir / "co.hgrm"
    times = []

    def tell(number):
        times.append(time.monotonic())
        nginx.process.send_signal(number)

    for after, number in ((2.0, signal.SIGSTOP), (4.0, signal.SIGCONT)):
        threading.Timer(after, tell, (number,)).start()
    done = load(t, f"http://{nginx.address}/", "--mode", "http", "--rate", 500, "-c", 20,
                "-d", f"{duration:.0f}s", "--hgrm", results)
    expect_clean(done, 3000)
    table = percentiles(results)
    pause = times[1] - times[0]
    for percent in (75, 90, 95, 99):
        # A share of pause / duration of the operations waits from 0 to `pause`, evenly.
        expected = pause * (1 - (1 - percent / 100) * duration / pause)
        seen = quantile(table, percent)
        t.say(f"p{percent}: {seen:.3f} s, as computed {expected:.3f} s")
        # A busy machine may take a moment to let everybody go on.
        expect(abs(seen - expected) < 0.02 * expected + 0.05, f"p{percent}: {seen}, {expected}")


def flips_a_bit(stream):
    """Handler: an echo that changes one bit of the byte at 5000."""
    size = 0
    while data := stream.recv():
        at = 5000 - size
        if 0 <= at < len(data):
            data = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        stream.sendall(data)
        size += len(data)


@test("load tool, one flipped bit is found, counted and fails the run; --no-verify passes over it")
def flipped_bit(t):
    backend = fleet.Backend(t, flips_a_bit, expected=(OSError,))
    shape = [backend.address, "--closed", "-c", 1, "-n", 100, "--size", 100]
    done = load(t, *shape)
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect(re.search(r"\b1  wrong bytes$", done.stdout, re.M), done.stdout)
    first = r"^first +wrong bytes: from byte 5000 of the stream on, .*1 byte"
    expect(re.search(first, done.stdout, re.M), done.stdout)
    expect_clean(load(t, *shape, "--no-verify"), 100)


def ends_early(stream):
    """Handler: half of the first answer, then the end."""
    data = stream.exactly(64)
    stream.sendall(data[:32])


@test("load tool, answers that are cut short, or are none, fail the run with their own counts")
def short_answers(t):
    cut = fleet.Backend(t, ends_early, "cut")
    done = load(t, cut.address, "--mode", "conn", "--closed", "-n", 10, "-c", 1)
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect(re.search(r"\b10  ended within the answer$", done.stdout, re.M), done.stdout)
    expect(re.search(r"^integrity +320 bytes lost", done.stdout, re.M), done.stdout)
    garbage = fleet.Backend(t, lambda stream: stream.sendall(b"SSH-2.0-x\r\n\r\n"), "garbage")
    done = load(t, f"http://{garbage.address}/", "--mode", "conn", "--closed", "-n", 5, "-c", 1)
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect(re.search(r"\b5  not an answer of this protocol$", done.stdout, re.M), done.stdout)


@test("load tool, what is unreachable, wrong or does not hold is told by the exit code")
def exit_codes(t):
    done = load(t, fleet.refused_address(), "--rate", 10)
    expect((done.returncode, done.stdout) == (1, ""), f"{done}")
    expect("cannot reach" in done.stderr and "refused" in done.stderr, done.stderr)
    for wrong in (["127.0.0.1:1"], ["127.0.0.1:1", "--rate", "fast"],
                  ["127.0.0.1:1", "--closed", "--assert", "speed>9"], ["nowhere", "--closed"],
                  ["127.0.0.1:1", "--closed", "--mode", "udp"]):
        done = load(t, *wrong)
        expect(done.returncode == 64 and done.stderr, f"{wrong}: {done}")
    closed = ["127.0.0.1:1", "--closed"]
    for useless in (["--arrival", "poisson"], ["--close", "rst"], ["--body", "x"], ["--sni", "x"],
                    ["--mode", "http", "--size", "9"], ["--mode", "tls", "--depth", "2"]):
        done = load(t, *closed, *useless)
        expect((done.returncode, "means nothing here" in done.stderr) == (64, True), f"{done}")
    backend = fleet.Backend(t, fleet.echo)
    done = load(t, backend.address, "--closed", "-n", 10, "-c", 1, "--assert", "p50<1us,err==0")
    expect(done.returncode == 3, f"exit {done.returncode}: {done.stdout}")
    expect(re.search(r"^assertion +FAILED  p50 < 1us: ", done.stdout, re.M), done.stdout)
    expect(re.search(r"^assertion +holds   err == 0: 0$", done.stdout, re.M), done.stdout)


@test("load tool, Ctrl-C ends a run early with what it has, marked as partial")
def interrupted(t):
    backend = fleet.Backend(t, fleet.echo)
    command = [tool(t), "run", backend.address, "--rate", "200", "-d", "60s", "-c", "4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.defer(process.kill)
    first = process.stdout.readline()  # after a second
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=pace.slow(10))
    expect(process.returncode == 0, f"exit {process.returncode}: {first}{rest}{errors}")
    expect(" of 60s: these are partial results" in rest, rest)
    expect(re.search(r"^operations +\d+ went well", rest, re.M), rest)


@test("load tool, a backend that dies under it costs exactly the operations that were on it")
def dying_backend(t):
    nginx = fleet.nginx_fleet(t, ("a", "b"))
    penstock = t.front(nginx, pool={"hash_key": "source_ip_port", "connect_tries": 3})
    kill = threading.Timer(1.0, nginx[0].kill)
    kill.start()
    done = load(t, f"http://{penstock.address()}/", "--mode", "http", "--rate", 200, "-c", 8,
                "-d", "3s")
    kill.join()
    good = operations(done)
    lost = sum(map(int, re.findall(r"^ +(\d+)  (?:reset|ended)", done.stdout, re.M)))
    expect(good + lost == 600 and good > 400, done.stdout)
    seen = penstock.counters()["backends"]["app/a"]["connections"]
    expect(lost <= seen, f"{lost} lost, {seen} connections were on it: {done.stdout}")


@test("load tool, a run's files agree with its summary, and report compares two of them")
def outputs(t):
    backend = fleet.Backend(t, fleet.echo)
    files = {kind: t.dir / f"run.{kind}" for kind in ("json", "csv", "html", "hgrm")}
    written = [item for kind, path in files.items() for item in (f"--{kind}", path)]
    done = load(t, backend.address, "--rate", 100, "-d", "2s", "-c", 4, *written)
    expect_clean(done, 200)
    seen = json.loads(files["json"].read_text())
    expect(seen["count"]["operations"] == 200, f"{seen['count']}")
    rows = files["csv"].read_text().splitlines()
    place = rows[0].split(",").index("operations")
    expect(sum(int(row.split(",")[place]) for row in rows[1:]) == 200, f"{rows}")
    expect("Total count    =          200" in files["hgrm"].read_text(), "the percentiles")
    expect(files["html"].read_text().count("<svg") > 1, "charts")
    command = [tool(t), "report", files["json"], files["json"]]
    report = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    expect(report.returncode == 0 and re.search(r"^latency p99 .* x1$", report.stdout, re.M),
           f"{report}")
    done = load(t, backend.address, "--closed", "-n", 1, "--json", t.dir / "no/such/folder")
    expect(done.returncode == 1 and "cannot write" in done.stderr, f"{done}")
