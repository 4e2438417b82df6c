"""The kernel matrix: which stages there are, what penstock must say on each, and the table of what
came out. A stage is one virtual machine; three run at a time, since each keeps at most one core
busy and waits for a good part of its time.
"""
import concurrent.futures
import dataclasses
import io
import re
import sys
import threading
import time

import kernels
import machine

sys.path.insert(0, str(kernels.ROOT / "tests/e2e"))

import harness  # noqa: E402

LOGS = kernels.ROOT / "build/logs"
# By the machine's own clock, which counts instructions (machine.py), most tests take hardly longer
# than on a real one; what computes takes up to 8 times as long.
SLOW = 4
SHORT_LIMIT_S = 900
STAGE_LIMIT_S = 3600
STAGES_AT_ONCE = 3

# Features of include/penstock/io/features.h that a kernel cannot have. All of today's came by 6.1.
LACKS = {"6.1": (), "6.12": (), "newest": ()}
TIERS = {"full": "defer_taskrun", "coop": "coop_taskrun", "plain": "plain"}

# A lost reset is never sent again, so what waits for one without sending cannot stand loss; short
# connect timeouts cannot stand a lost SYN, which comes again after a second.
LOSSY = "delay 5ms 2ms loss 0.5% reorder 5%"
REORDERING = "delay 5ms 2ms reorder 5%"


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    kernel: str
    tier: str = "full"
    pattern: str = ""
    netem: str = ""
    machine: bool = False  # the tests of this folder, too


ALL = (
    Stage("6.1", "6.1", machine=True),
    Stage("6.12", "6.12", machine=True),
    Stage("newest", "newest", machine=True),
    Stage("6.1 coop", "6.1", tier="coop", pattern="^test_(counters|halfclose|reset|tls)"),
    Stage("6.1 plain", "6.1", tier="plain", pattern="^test_(counters|halfclose|limits|shutdown)"),
    Stage("6.12 lossy", "6.12", pattern="^test_halfclose|SHA-256|curl", netem=LOSSY),
    Stage("6.12 reorder", "6.12", pattern="^test_(reset|connect)", netem=REORDERING),
)
SHORT = (Stage("short", "6.12", pattern="^test_(counters|halfclose|connect)", machine=True),)


@dataclasses.dataclass
class Result:
    stage: Stage
    release: str = ""
    tier_line: str = ""
    passed: int = 0
    failed: int = 0
    skips: list = dataclasses.field(default_factory=list)  # "name: reason"
    problems: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def expected_line(stage, release):
    """What penstock must log on this kernel in this tier, word for word."""
    header = harness.FEATURES_HEADER.read_text()
    rows = re.findall(r'X\((\w+), (?:true|false),\s+"([\d.]+)"', header)
    off = harness.disabled_features(stage.tier)
    why = {name: f"needs Linux {since}" for name, since in rows if name in LACKS[stage.kernel]}
    why |= {name: "switched off by process.io_disable" for name, _ in rows if name in off}
    without = [f"{name} ({why[name]})" for name, _ in rows if name in why]
    features = f"; without: {', '.join(without)}" if without else ", every feature in use"
    return f"io_uring: tier {TIERS[stage.tier]}, kernel {release}{features}"


def run_stage(stage, kernel, binary, limit_s):
    """Runs a stage; its output goes to a log, and to stdout as it comes."""
    LOGS.mkdir(parents=True, exist_ok=True)
    command = ["/usr/bin/python3", str(kernels.ROOT / "tests/vm/guest.py"), "--binary", str(binary)]
    command += ["--tier", stage.tier, "--slow", str(SLOW), "-k", stage.pattern]
    command += ["--netem", stage.netem] if stage.netem else []
    command += ["--machine"] if stage.machine else []
    output = Recorder(LOGS / f"vm-{stage.name.replace(' ', '-')}.log", stage.name)
    started = time.monotonic()
    code = machine.run(kernel, command, limit_s, output, output)
    output.close()
    return read_output(stage, output.text(), code, time.monotonic() - started)


def read_output(stage, text, code, seconds):
    result = Result(stage, seconds=seconds)
    said = re.findall(r"^vm: (.*)$", text, re.M)
    result.release = next((line[7:] for line in said if line.startswith("kernel ")), "?")
    result.tier_line = next((line for line in said if "io_uring" in line), "?")
    expected = expected_line(stage, result.release)
    if result.tier_line != expected:
        result.problems.append(f"penstock said {result.tier_line!r}, expected {expected!r}")
    result.skips = re.findall(r"^SKIP (.*)$", text, re.M)
    suites = re.findall(r"^(\d+) passed, (\d+) failed, \d+ skipped$", text, re.M)
    result.passed = sum(int(passed) for passed, _ in suites)
    result.failed = sum(int(failed) for _, failed in suites)
    wanted = 2 if stage.machine else 1
    if code != 0 or len(suites) != wanted:
        result.problems.append(f"exit code {code}, {len(suites)} of {wanted} suites ended")
    if result.passed == 0:
        result.problems.append("no test passed")
    result.failed += len(result.problems)
    return result


class Recorder:
    """Takes a machine's output: into a log file, into memory, and line by line to stdout."""

    _printing = threading.Lock()

    def __init__(self, path, label):
        self.label = label
        self._file = path.open("wb")
        self._kept = io.BytesIO()
        self._line = b""
        self._lock = threading.Lock()  # output and errors come from two threads

    def write(self, data):
        with self._lock:
            self._file.write(data)
            self._kept.write(data)
            *lines, self._line = (self._line + data).split(b"\n")
            with self._printing:
                for line in lines:
                    print(f"[{self.label}] {line.decode(errors='replace')}", flush=True)

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()

    def text(self):
        return self._kept.getvalue().decode(errors="replace")


def run(stages, binary, limit_s=STAGE_LIMIT_S):
    """Runs the stages and prints a table. 0 when everything passed."""
    found = {stage.kernel: None for stage in stages}
    for name in found:
        found[name] = kernels.find(name)
    with concurrent.futures.ThreadPoolExecutor(STAGES_AT_ONCE) as pool:
        running = [
            pool.submit(run_stage, stage, found[stage.kernel], binary, limit_s) for stage in stages
        ]
        try:
            results = [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            machine.end_all()
            raise
    for skip in sorted({skip for result in results for skip in result.skips}):
        print(f"SKIP {skip}")
    print_table(results)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def print_table(results):
    print(f"\n{'stage':<14} {'kernel':<24} {'passed':>6} {'failed':>6} {'minutes':>8}  netem")
    for result in results:
        stage = result.stage
        print(
            f"{stage.name:<14} {result.release:<24} {result.passed:>6} {result.failed:>6} "
            f"{result.seconds / 60:>8.1f}  {stage.netem or '-'}"
        )
        print(f"    {result.tier_line}")
        for problem in result.problems:
            print(f"    FAILED: {problem}")
