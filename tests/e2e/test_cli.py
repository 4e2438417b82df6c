"""The command line: check and its errors, exit codes, refusals at start, demo."""
import fcntl
import pathlib
import re
import signal
import subprocess
import tempfile

import fleet
import harness
import pace
from suite import expect, test, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKEN = ROOT / "tests/data/config/broken"


def call(t, *arguments, cwd=None, wrapper=()):
    return subprocess.run(
        [*wrapper, str(t.binary), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        timeout=pace.slow(20),
        check=False,
    )


def listener_config(t, name="one.toml", address="127.0.0.1:0", process=None):
    path = t.dir / name
    path.write_text(
        harness.render(
            {
                "listeners": {"web": {"bind": [address], "pool": "app"}},
                "pools": {"app": {"backends": ["127.0.0.1:9"]}},
                "process": process or {},
            }
        )
    )
    return path


@test("check says valid for every config in conf/")
def check_valid(t):
    paths = sorted((ROOT / "conf").glob("*.toml"))
    expect(paths, "conf/ has examples")
    for path in paths:
        if re.search(r"^[^#]*certificates\s*=", path.read_text(), re.M):
            continue  # its certificates are the user's
        result = call(t, "check", "--config", path)
        expect((result.returncode, result.stdout) == (0, "valid\n"), f"{path.name}: {result}")


@test("check says valid for a config with real certificates")
def check_valid_tls(t):
    path = t.dir / "tls.toml"
    listener = {"bind": ["127.0.0.1:0"], "pool": "app", "tls": t.shared.tls()}
    path.write_text(
        harness.render(
            {"listeners": {"web": listener}, "pools": {"app": {"backends": ["127.0.0.1:9"]}}}
        )
    )
    result = call(t, "check", "--config", path)
    expect((result.returncode, result.stdout) == (0, "valid\n"), f"{result}")


@test("check reports every error of at least 25 broken configs at its place, and run refuses them")
def check_broken(t):
    paths = sorted(BROKEN.glob("*.toml"))
    expect(len(paths) >= 25, f"{len(paths)} broken configs in {BROKEN}")
    wrong = []
    for path in paths:
        result = call(t, "check", "--config", path.name, cwd=BROKEN)
        if result.returncode != 1 or result.stdout or not has_expected_errors(result.stderr, path):
            wrong.append(f"{path.name}: exit {result.returncode}, got {result.stderr!r}")
    expect(not wrong, "\n".join(wrong))
    result = call(t, "run", "--config", paths[0].name, cwd=BROKEN)
    expect(result.returncode == 1, f"run refuses it too: {result}")
    expect(has_expected_errors(result.stderr, paths[0]), f"with the same words: {result}")


def has_expected_errors(text, path):
    """Whether the text is what NAME.expected says; a line that ends in * may go on in any way."""
    expected = path.with_suffix(".expected").read_text().splitlines()
    lines = text.splitlines()
    return len(lines) == len(expected) and all(
        line.startswith(f"{path.name}:{want[:-1]}")
        if want.endswith("*")
        else line == f"{path.name}:{want}"
        for line, want in zip(lines, expected)
    )


@test("a missing, an unreadable or an unparsable file is a sentence and exit 1")
def check_files(t):
    folder = t.dir / "folder.toml"
    folder.mkdir()
    binary = t.dir / "binary.toml"
    binary.write_bytes(bytes(range(256)) * 10)
    empty = t.dir / "empty.toml"
    empty.write_text("")
    for path in (t.dir / "nowhere.toml", folder, binary, empty):
        for command in ("check", "run"):
            result = call(t, command, "--config", path)
            expect(
                result.returncode == 1 and path.name in result.stderr,
                f"{command} {path.name}: {result}",
            )
            expect(result.stdout == "", f"diagnostics go to stderr: {result}")


@test("usage errors are exit 64, help and version exit 0")
def usage(t):
    for arguments in (["frobnicate"], ["run"], ["check"], ["run", "--confg", "x"], ["--frob"], []):
        result = call(t, *arguments)
        expect(result.returncode == 64 and result.stderr, f"{arguments}: {result}")
        expect(result.stdout == "", f"{arguments}: usage errors go to stderr: {result}")
    version = call(t, "--version")
    expect(version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout), f"{version}")
    help_ = call(t, "--help")
    expect(
        help_.returncode == 0 and "penstock run --config" in help_.stdout,
        f"help has examples: {help_}",
    )
    expect("demo" in help_.stdout and "check" in help_.stdout, f"help names the commands: {help_}")


@test("the test switches are in builds with checks only, and --version tells which this is")
def test_switches(t):
    checks = "--poison" in call(t, "--version").stdout
    known = 1 if checks else 64  # the configuration is not there
    for arguments in (["--poison"], ["--fail-alloc", "0.5"], ["--fail-alloc", "1", "--poison"]):
        result = call(t, "run", "--config", t.dir / "missing.toml", *arguments)
        expect(result.returncode == known, f"{arguments}: {result}")
    for arguments in (["--fail-alloc", "101"], ["--fail-alloc", "x"], ["--fail-from", "never"]):
        result = call(t, "run", "--config", t.dir / "missing.toml", *arguments)
        expect(result.returncode == 64, f"{arguments}: {result}")


@test("a port in use and an address that is not ours are refused with a sentence, exit 1")
def port_in_use(t):
    with fleet.listen(f"{fleet.next_host()}:0") as taken:
        address = fleet.address_of(taken)
        result = call(t, "run", "--config", listener_config(t, address=address))
    expect(result.returncode == 1 and address in result.stderr, f"{result}")
    expect(re.search("in use", result.stderr, re.I), f"says why: {result.stderr}")
    result = call(t, "run", "--config", listener_config(t, address="203.0.113.7:8080"))
    expect(result.returncode == 1 and "203.0.113.7:8080" in result.stderr, f"{result}")


@test("a required kernel feature switched off is refused at its place, exit 1")
def required_feature(t):
    required = harness.features(required=True)
    expect(required, "some features are required")
    for name in required:
        config = listener_config(t, process={"io_disable": [name]})
        for command in ("check", "run"):
            result = call(t, command, "--config", config)
            expect(result.returncode == 1, f"{command} {name}: {result}")
            place = rf"^\S+one\.toml:\d+:\d+: process\.io_disable\[0\] is \"{name}\", which"
            expect(re.match(place, result.stderr), f"{command} {name}: {result.stderr}")


@test("no descriptors at all is a sentence, not a crash")
def starved_at_start(t):
    config = listener_config(t, process={"shards": 1, "pin": False})
    result = call(t, "run", "--config", config, wrapper=["prlimit", "--nofile=8:8"])
    expect(result.returncode in (1, 69) and result.stderr.strip(), f"{result}")


class Demo:
    """`penstock demo` on ports that the kernel chooses."""

    def __init__(self, t, *arguments):
        self.process = subprocess.Popen(
            [str(t.binary), "demo", *arguments],
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        t.defer(self._kill)
        self.lines = []
        self._reader = fleet.threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)

    def text(self):
        return "\n".join(self.lines)

    def url(self, scheme):
        """The first loopback URL of the scheme that it printed."""
        match = re.search(rf"\b{scheme}://[\w.]+:\d+/?", self.text())
        return match.group(0) if match else None


@test("demo serves HTTP and HTTPS to curl, suggests what to try, and ends on Ctrl-C with 0")
def demo(t):
    demo_ = Demo(t, "--ports", "0,0")
    until(
        lambda: demo_.process.poll() is not None or (demo_.url("http") and demo_.url("https")),
        10,
        "the URLs of the demo",
    )
    expect(demo_.process.poll() is None, f"the demo runs:\n{demo_.text()}")
    answers = set()
    for number in range(1, 16):
        for arguments in ([demo_.url("http")], ["--insecure", demo_.url("https")]):
            result = fleet.curl("--interface", f"127.0.0.{number}", *arguments)
            expect(result.returncode == 0 and result.stdout, f"{arguments}: {result}")
            answers.add(result.stdout)
    expect(len(answers) >= 3, f"different servers answer: {sorted(answers)[:3]}")
    until(
        lambda: "curl" in demo_.text() and "--interface 127.0.0." in demo_.text(),
        5,
        "the suggestions",
    )
    before = len(demo_.lines)
    until(lambda: len(demo_.lines) > before, 10, "a status line without a terminal")
    expect(
        "\x1b" not in demo_.text() and "\r" not in demo_.text(),
        "no terminal codes without a terminal",
    )
    demo_.process.send_signal(signal.SIGINT)
    expect(demo_.process.wait(pace.slow(5)) == 0, f"Ctrl-C ends it with 0:\n{demo_.text()}")


@test("demo takes the next free ports when its own are taken")
def demo_ports_taken(t):
    # Another run of this test, for another tier, would look for the same ports at the same time.
    alone = open(pathlib.Path(tempfile.gettempdir()) / "penstock-demo-ports.lock", "w")
    t.defer(alone.close)
    fcntl.flock(alone, fcntl.LOCK_EX)
    first = Demo(t)
    until(lambda: first.url("https") or first.process.poll() is not None, 10, "the first demo")
    second = Demo(t)
    until(lambda: second.url("https") or second.process.poll() is not None, 10, "the second demo")
    expect(
        first.process.poll() is None and second.process.poll() is None,
        f"{first.text()}\n{second.text()}",
    )
    urls = {demo_.url(scheme) for demo_ in (first, second) for scheme in ("http", "https")}
    expect(len(urls) == 4, f"four different ports: {urls}")
    for demo_ in (first, second):
        expect(fleet.curl(demo_.url("http")).returncode == 0, "both serve")
        demo_.process.send_signal(signal.SIGTERM)
        expect(demo_.process.wait(pace.slow(5)) == 0, "SIGTERM ends it with 0")
