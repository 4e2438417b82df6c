"""Builds penstock and runs its test suites; the part of scripts/test behind the set-up.

Each step prints one line with its duration and keeps its whole output in build/logs. A suite that
crashes, hangs, runs nothing or cannot be built counts as a failure. The last line is
`N passed, N failed`.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from suite_reports import failures_in, read_catch, skips_in

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
SUITES = ("unit", "contract", "sim", "e2e")
FUZZERS = ("config", "hello", "http", "sim", "tls")
TIERS = ("full", "coop", "plain")
CLANG = shutil.which("clang++-19")  # for the fuzzers
TAIL_LINES = 40
COMPILE_ERROR = re.compile(r"^\S+:\d+:\d+: (fatal )?error: ")
# What has sessions, handshakes and peers that misbehave; what measures no time.
SHORTAGE_MODULES = r"^test_(connect|fault_(?!table)|halfclose|limits|reset|tls(?!_(scan|clients)))"
UNTIMED_MODULES = {"load": "test_load_(calibrate|flags|losses|manual|misuse|mix|modes|report)",
                   "tls": "test_(routes|tls_(backends|clients|files|scan|server))"}
BUILD_LIMIT_S = 2400
CHECK_LIMIT_S = 1800
FUZZ_LIMIT_S = 600  # the corpus and ten seconds more
SUITE_LIMIT_S = {"unit": 120, "contract": 180, "sim": 300, "e2e": 300}
EXTRA_LIMIT_S = 1500
NO_MACHINE = 77  # scripts/vm: there can be none here
# Sanitizers slow the code five- to tenfold; the limits only end what hangs.
SANITIZED_LIMIT_S = {"unit": 300, "contract": 400, "sim": 600, "e2e": 1000}
# A test that stops in the middle waits for what it has left behind.
SHORTAGE_LIMIT_S = 1200


@dataclass
class Totals:
    """What all steps so far add up to."""

    passed: int = 0
    failed: int = 0
    skips: dict = field(default_factory=dict)  # reason -> what was skipped for it

    def skip(self, step, text):
        """Notes `name: reason` of one skipped test, or a bare reason of a whole step."""
        name, colon, reason = text.partition(": ")
        what = f"{step}: {name}" if colon else step
        self.skips.setdefault(reason if colon else text, []).append(what)

    def skip_lines(self):
        for reason, skipped in sorted(self.skips.items()):
            more = f"; and {len(skipped) - 4} more" if len(skipped) > 4 else ""
            yield f"skipped: {reason} ({'; '.join(skipped[:4])}{more})"


@dataclass
class Build:
    """One build folder, the options it is set up with, and how its programs are run."""

    name: str
    options: list
    arguments: list = field(default_factory=list)  # of the compiler
    environment: dict = field(default_factory=dict)
    wrapper: list = field(default_factory=list)
    tiers: tuple = TIERS
    e2e_options: list = field(default_factory=list)
    without: tuple = ()  # suites
    shortage: bool = False  # part of the end-to-end suite again, with allocations that fail
    limits: dict = field(default_factory=lambda: SUITE_LIMIT_S)
    seeds: int = 2000

    @property
    def folder(self):
        return ROOT / "build" / self.name


@dataclass
class Outcome:
    """How a process ended; `problem` is empty when it did so by itself, with exit code 0."""

    exit_code: int
    problem: str
    log: Path
    seconds: float


def run(step, command, limit_s, extra_environment=None):
    """Runs a command in a process group of its own, with a time limit, into the step's log."""
    log = LOGS / (step.replace(" ", "-") + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(extra_environment or {})}
    started = time.monotonic()
    problem = ""
    with log.open("wb") as output:
        output.write(f"$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        except OSError as error:
            output.write(f"cannot run it: {error}\n".encode())
            return Outcome(127, f"cannot run {command[0]}", log, 0.0)
        try:
            process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            problem = f"timed out after {limit_s} s"
        finally:
            end_group(process)
    code = process.returncode
    if not problem and code < 0:
        problem = f"ended by {signal.Signals(-code).name}"
    elif not problem and code > 0:
        problem = f"exit code {code}"
    return Outcome(code, problem, log, time.monotonic() - started)


def end_group(process):
    """Ends what is left of the group: the process that hangs, and children that a suite left."""
    for number, patience_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            continue


def say(text):
    print(text, flush=True)


def report(step, outcome, passed, failed, details=()):
    """Prints the step's line, and on failure what went wrong and the end of the log."""
    counts = f"{passed} passed, {failed} failed"
    say(f"{'FAILED' if failed else 'ok    '}  {step:<22} {counts:<26} {outcome.seconds:7.1f} s")
    if failed == 0:
        return
    for detail in details:
        say(f"    {detail}")
    lines = outcome.log.read_text(errors="replace").splitlines()
    # What a compiler said is seldom at the end, as ninja goes on with other files.
    for line in [line for line in lines[:-TAIL_LINES] if COMPILE_ERROR.search(line)][:TAIL_LINES]:
        say(f"    {line}")
    say(f"    the end of {outcome.log.relative_to(ROOT)}:")
    for line in lines[-TAIL_LINES:]:
        say(f"    | {line}")


def run_single(totals, step, command, limit_s):
    """A step that passes or fails as a whole."""
    count_single(totals, step, run(step, command, limit_s))


def count_single(totals, step, outcome):
    passed = 0 if outcome.problem else 1
    totals.passed += passed
    totals.failed += 1 - passed
    report(step, outcome, passed, 1 - passed, [outcome.problem])
    for text in skips_in(outcome.log):
        totals.skip(step, text)


def build(totals, target):
    """Sets the folder up if needed and compiles everything in it. Its success counts as no test."""
    step = f"build {target.name}"
    # Of debug information traces want line numbers; more would take a quarter longer to compile.
    arguments = f"-Dcpp_args={['-g1', *target.arguments]}"
    setup = ["meson", "setup", "--werror", "-Dtests=true", "-Ddebug=false", arguments,
             *target.options, str(target.folder)]
    if not (target.folder / "build.ninja").exists():
        shutil.rmtree(target.folder, ignore_errors=True)
        outcome = run(step, setup, BUILD_LIMIT_S)
    else:
        outcome = Outcome(0, "", LOGS, 0.0)
    if not outcome.problem:
        jobs = str(len(os.sched_getaffinity(0)))
        compile_command = ["meson", "compile", "-C", str(target.folder), "-j", jobs]
        outcome = run(step, compile_command, BUILD_LIMIT_S)
    if outcome.problem:
        totals.failed += 1
        report(step, outcome, 0, 1, [outcome.problem])
        return False
    say(f"ok      {step:<49} {outcome.seconds:7.1f} s")
    return True


def run_catch(totals, target, suite):
    """Runs one Catch2 program. Its XML report gives the counts, its console output is the log."""
    step = f"{target.name} {suite}"
    program = target.folder / "tests" / suite / f"{suite}-tests"
    results = LOGS / f"{step.replace(' ', '-')}.xml"
    results.unlink(missing_ok=True)
    command = [*target.wrapper, str(program), "--reporter", f"xml::out={results}",
               "--reporter", "console"]
    # Fresh seeds in every run; the suite prints the first, and one that fails.
    seeds = {"PENSTOCK_SIM_FIRST": str(int(time.time()) * 10_000),
             "PENSTOCK_SIM_SEEDS": str(target.seeds)}
    outcome = run(step, command, target.limits[suite], {**target.environment, **seeds})
    passed, failed_names, skips, whole = read_catch(results)
    details = [f"failed: {name}" for name in failed_names]
    failed = len(failed_names)
    if not whole or (outcome.problem and failed == 0):
        failed += 1
        details.append(f"the suite did not end well: {outcome.problem or 'its report is cut off'}")
    elif passed + failed == 0:
        failed = 1
        details.append("the suite ran no test")
    elif outcome.problem:
        details.append(f"the suite: {outcome.problem}")
    totals.passed += passed
    totals.failed += failed
    for text in skips:
        totals.skip(step, text)
    report(step, outcome, passed, failed, details)


def end_to_end(target, step, options, limit_s, environment=None):
    """Runs the end-to-end suite with these options; its own last line gives the counts."""
    command = [*target.wrapper, sys.executable, "tests/e2e/run.py",
               "--binary", str(target.folder / "penstock"), *target.e2e_options, *options]
    return run(step, command, limit_s, {**target.environment, **(environment or {})})


def run_shortage(target):
    """What of the end-to-end suite has sessions, with allocations that fail."""
    step = f"{target.name} e2e shortage"
    options = ["--switches", "poison,fail-alloc=1", "-k", SHORTAGE_MODULES]
    leaks = {"LSAN_OPTIONS": f"suppressions={ROOT}/tests/e2e/openssl_leaks.txt"}
    return step, end_to_end(target, step, options, SHORTAGE_LIMIT_S, leaks)


def run_tiers(totals, targets):
    """The end-to-end suite of some builds: the first tier of all of them, as it measures time, then
    the others side by side with those modules of the first that measure none."""

    def run_part(target, name, tier, pattern):
        step = f"{target.name} e2e {name}"
        options = ["--tier", tier, "-k", pattern]
        return step, end_to_end(target, step, options, target.limits["e2e"])

    first, others = [], []
    for target in targets:
        timed, *rest = target.tiers
        timed_only = f"^(?!{'|'.join(UNTIMED_MODULES.values())})"
        first.append(partial(run_part, target, timed, timed, timed_only))
        parts = [(tier, tier, "") for tier in rest]
        parts += [(name, timed, f"^{modules}") for name, modules in UNTIMED_MODULES.items()]
        others += [partial(run_part, target, *part) for part in parts]
        if target.shortage:
            others.append(partial(run_shortage, target))
    for parts in (first, others):
        with ThreadPoolExecutor(len(parts)) as pool:
            for step, outcome in pool.map(lambda run_it: run_it(), parts):
                count(totals, step, outcome)


def count(totals, step, outcome):
    """Takes the counts of a suite from its own last line, and reports them."""
    lines = outcome.log.read_text(errors="replace").strip().splitlines()
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, \d+ skipped)?", lines[-1])
    passed, failed = (int(counts[1]), int(counts[2])) if counts else (0, 0)
    details = []
    if failed == 0 and (not counts or outcome.problem or passed == 0):
        failed = 1
        details.append(f"the suite did not end well: {outcome.problem or 'it ran no test'}")
    totals.passed += passed
    totals.failed += failed
    for text in skips_in(outcome.log):
        totals.skip(step, text)
    report(step, outcome, passed, failed, details + failures_in(lines))


def hunt_planted(totals):
    """Plants each classic mistake in a build of its own; the simulation has to catch it."""
    command = ["scripts/sim", "--planted", "--seeds", "1000"]
    count(totals, "planted bugs", run("planted bugs", command, EXTRA_LIMIT_S))


def run_on_other_kernel(totals):
    """The short form of the kernel matrix: one kernel, a part of the suite."""
    step = "vm short"
    outcome = run(step, ["scripts/vm", "short"], EXTRA_LIMIT_S)
    if outcome.exit_code != NO_MACHINE:
        return count(totals, step, outcome)
    for text in skips_in(outcome.log):
        totals.skip(step, text)
    return say(f"skipped {step:<49} {outcome.seconds:7.1f} s")


def run_suites(totals, targets, suites):
    """Builds each folder and runs its suites. A failed build is one failure."""
    built = [target for target in targets if build_and_run_catch(totals, target, suites)]
    if "e2e" in suites and built:
        run_tiers(totals, built)


def build_and_run_catch(totals, target, suites):
    if not build(totals, target):
        return False
    for suite in [each for each in suites if each not in ("e2e", *target.without)]:
        run_catch(totals, target, suite)
    return True


def run_fuzzers(totals):
    """A short run of each fuzzer over its corpus and a little beyond, in a build of their own."""
    if not CLANG:
        totals.skip("fuzz", "no clang++-19 is installed")
        return
    outcome = run("build fuzz", ["scripts/fuzz", "all", "--build"], BUILD_LIMIT_S)
    if outcome.problem:
        totals.failed += 1
        report("build fuzz", outcome, 0, 1, [outcome.problem])
        return
    say(f"ok      {'build fuzz':<49} {outcome.seconds:7.1f} s")

    def smoke(name):
        return run(f"fuzz {name}", ["scripts/fuzz", name, "--smoke"], FUZZ_LIMIT_S)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, outcome in zip(FUZZERS, pool.map(smoke, FUZZERS)):
            count_single(totals, f"fuzz {name}", outcome)


def sanitizer_builds():
    """AddressSanitizer with UndefinedBehaviorSanitizer, and ThreadSanitizer (they exclude it)."""
    # They are tested side by side, far slower than what the limits in tests are made for.
    common = {"tiers": TIERS[:1], "limits": SANITIZED_LIMIT_S, "seeds": 200,
              "e2e_options": ["--scale", "small", "--switches", "poison", "--slow", "2"]}
    kind = ["-Doptimization=1", "-Db_lundef=false"]  # with more it compiles a third longer
    # What is left out takes a quarter of the time to compile: AddressSanitizer finds the same
    # accesses, and the check of a vptr opens a pipe, which tests of scarce descriptors would meet.
    asan = Build("asan", [*kind, "-Db_sanitize=address,undefined"], shortage=True,
                 arguments=["-fno-sanitize=null,object-size,vptr"], **common)
    asan.environment = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
                        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    # The simulation has one thread: there is no race to be found.
    tsan = Build("tsan", [*kind, "-Db_sanitize=thread"], without=("sim",), **common)
    tsan.environment = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                        f"suppressions={ROOT}/tests/tsan_suppressions.txt"}
    # GCC 12's ThreadSanitizer knows no address layouts with more than 28 random bits.
    if subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0:
        tsan.wrapper = ["setarch", "-R"]
    return [asan, tsan]


def run_all_extras(totals, suites):
    """What --all adds."""
    run_suites(totals, sanitizer_builds(), suites)
    hunt_planted(totals)
    run_on_other_kernel(totals)
    run_single(totals, "check --all", ["scripts/check", "--all"], CHECK_LIMIT_S)


def main():
    parser = argparse.ArgumentParser(prog="scripts/test", description="Builds and runs the tests.")
    parser.add_argument("--all", action="store_true",
                        help="also the sanitizer builds, planted bugs, another kernel and the "
                        "static checks")
    parser.add_argument("--only", choices=(*SUITES, "fuzz"), action="append",
                        help="run this suite only")
    options = parser.parse_args()
    chosen = options.only or [*SUITES, "fuzz"]
    suites = [suite for suite in SUITES if suite in chosen]

    totals = Totals()
    started = time.monotonic()
    if not options.only:
        run_single(totals, "tidy selftest", ["scripts/tidy", "--selftest"], 60)
        run_single(totals, "tidy", ["scripts/tidy"], 60)
    if suites:
        run_suites(totals, [Build("test", ["-Doptimization=2"])], suites)
    if "fuzz" in chosen:
        run_fuzzers(totals)
    if options.all:
        run_all_extras(totals, suites)

    for line in totals.skip_lines():
        say(line)
    say(f"took {time.monotonic() - started:.0f} s; logs are in {LOGS.relative_to(ROOT)}")
    say(f"{totals.passed} passed, {totals.failed} failed")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
