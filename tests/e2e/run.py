#!/usr/bin/python3
"""Runs the end-to-end suite against a penstock binary: python3 tests/e2e/run.py --binary PATH.

Real programs stand on both sides: nginx behind, curl, openssl and wrk in front. One line per test,
the details of a failure below it, `N passed, N failed, N skipped` as the last line; exit 1 when a
test failed. Needs Python 3.11.
"""
import argparse
import importlib
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import fleet  # noqa: E402
import pace  # noqa: E402
import suite  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--binary", type=lambda text: pathlib.Path(text).resolve(), help="the penstock to test"
    )
    parser.add_argument(
        "--tier", choices=suite.TIERS, default="full", help="kernel features to do without"
    )
    parser.add_argument(
        "--scale", choices=("full", "small"), default="full", help="small: for sanitizer builds"
    )
    parser.add_argument(
        "--switches",
        type=suite.switches,
        default=(),
        metavar="LIST",
        help="for a penstock with checks: poison; poison,fail-alloc; poison,fail-alloc=PERCENT",
    )
    parser.add_argument("--seed", type=int, default=1, help="of fail-alloc: which of them fail")
    parser.add_argument(
        "--slow",
        type=float,
        default=1.0,
        metavar="N",
        help="the machine is N times slower than usual: so much longer limits",
    )
    parser.add_argument(
        "--tests",
        type=lambda text: pathlib.Path(text).resolve(),
        default=pathlib.Path(__file__).resolve().parent,
        metavar="FOLDER",
        help="run the test_*.py of this folder instead",
    )
    parser.add_argument(
        "-k", dest="pattern", default="", help="only tests whose module or sentence matches"
    )
    parser.add_argument("--list", action="store_true", help="print the tests and end")
    parser.add_argument(
        "--slowest", type=int, default=0, metavar="N", help="print the N slowest tests at the end"
    )
    options = parser.parse_args()
    if not options.list and (options.binary is None or not options.binary.is_file()):
        parser.error(f"--binary must name the penstock to test, not {options.binary}")
    if options.switches and not has_switches(options.binary):
        parser.error(f"{options.binary} is built without checks, so it has no --switches")
    return options


def has_switches(binary):
    command = [binary, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return "--poison" in said.stdout


def load_cases(folder, pattern):
    sys.path.insert(0, str(folder))
    modules = sorted(path.stem for path in folder.glob("test_*.py"))
    for module in modules:
        importlib.import_module(module)
    wanted = re.compile(pattern, re.I)
    return [
        case
        for case in suite.cases
        if case.module in modules and wanted.search(f"{case.module}: {case.name}")
    ]


def main():
    options = parse_arguments()
    pace.set_factor(options.slow)
    cases = load_cases(options.tests, options.pattern)
    if options.list:
        print("\n".join(f"{case.module}: {case.name}" for case in cases))
        return 0
    counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
    times = []
    with fleet.Shared() as shared:
        for case in cases:
            outcome, seconds = run_one(case, options, shared)
            counts[outcome] += 1
            times.append((seconds, case.name))
    for seconds, name in sorted(times, reverse=True)[: options.slowest]:
        print(f"{seconds:6.1f} s  {name}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped", flush=True)
    return 1 if counts["FAIL"] or not cases else 0


def run_one(case, options, shared):
    if options.tier not in case.tiers:
        print(f"SKIP {case.name}: not in tier {options.tier}", flush=True)
        return "SKIP", 0.0
    start = time.monotonic()
    result = suite.run_case(case, options, shared)
    seconds = time.monotonic() - start
    if isinstance(result, suite.Skip):
        print(f"SKIP {case.name}: {result}", flush=True)
        return "SKIP", seconds
    outcome = "ok" if result is None else "FAIL"
    print(f"{outcome} {case.name} ({seconds:.1f} s)", flush=True)
    if result:
        print("\n".join("    " + line for line in result.splitlines()), flush=True)
    return outcome, seconds


if __name__ == "__main__":
    sys.exit(main())
