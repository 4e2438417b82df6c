"""Measures penstock beside HAProxy and nginx in one run: CPU time of the proxy per unit of work.

Each proxy runs alone on one core (one shard, one thread, one worker), the load and the server
behind it on the other; the figure that counts is the proxy's own CPU, all its threads, from
/proc/PID/task/*/schedstat, which stays comparable when the machine is noisy. `direct` is the load
without a proxy: what the tool and the server can do. The proxies take turns within a round, medians
are over the rounds. Called by scripts/bench.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

from cases import CASES
from proxies import LOAD_CORE, PROXIES, PROXY_CORE, Lab
from tables import Results, bars, table

WARM_UP_S = 0.3  # caches, pools and branch predictors of all
EQUAL_SHARE = 0.5  # of what the slowest can do


def version(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def header(binaries, rounds, seconds):
    control = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return "\n".join([
        f"Date {datetime.date.today()}; {os.cpu_count()} cores, "
        f"{cpu.group(1) if cpu else platform.machine()}; Linux {platform.release()}; congestion "
        f"control {control}.",
        f"{version([binaries / 'penstock', '--version'])}; {version(['haproxy', '-v'])}; "
        f"{version(['nginx', '-v'])}; {version(['openssl', 'version'])}.",
        f"Medians of {rounds} rounds of {seconds:g} s (in brackets: lowest and highest). Proxy "
        f"alone on core {PROXY_CORE} (2 shards: on both), load and server on core {LOAD_CORE}.",
    ])


class Benchmark:
    def __init__(self, lab, options, proxies):
        self.lab, self.proxies = lab, proxies
        self.seconds, self.rounds = options.seconds, options.rounds
        self.results = Results(proxies)
        self.equal_rates = {}  # by case: of the first round

    def run(self, cases):
        for number in range(self.rounds):
            for case in cases:
                for proxy in self.proxies:
                    self.measure(number, case, proxy)
                if case.equal_load:
                    self.measure_equally(number, case)

    def measure(self, number, case, proxy):
        sample = self.with_proxy(case, proxy, case.measure, self.seconds)
        self.results.add(case.name, proxy, sample)
        self.say(number, case, proxy, sample)

    def measure_equally(self, number, case):
        """The latencies of all at a rate that is well within what the slowest of them can do."""
        if case.name not in self.equal_rates:
            samples = [self.results.samples(case.name, proxy)[0] for proxy in self.proxies]
            self.equal_rates[case.name] = EQUAL_SHARE * min(s.rate for s in samples)
        rate = self.equal_rates[case.name]
        for proxy in self.proxies:
            sample = self.with_proxy(case, proxy, case.measure_equally, self.seconds, rate)
            self.results.add_equal(case.name, proxy, sample)

    def with_proxy(self, case, proxy, measure, *arguments):
        direct = proxy == "direct"
        server, backend_port = self.lab.serve(case.backend, tls=case.tls and direct)
        process = None
        try:
            port = backend_port
            if not direct:
                process, port = self.lab.start(proxy, backend_port, case.tls)
                if case.warms_up:
                    case.run(self.lab, port, WARM_UP_S)
                time.sleep(0.1)  # what its sessions leave behind is over
            return measure(self.lab, process, port, *arguments)
        except (OSError, RuntimeError, subprocess.SubprocessError):
            if process:
                sys.stderr.write(process.said())
            raise
        finally:
            for each in (process, server):
                if each:
                    each.stop()

    def say(self, number, case, proxy, sample):
        figure = f"{sample.rate:,.3g} {case.unit}/s" if proxy == "direct" else (
            f"{sample.value:.1f} {case.scale[1]}")
        print(f"round {number + 1}/{self.rounds}  {case.name}: {proxy} {figure}",
              file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__.splitlines()[0],
        epilog="example: scripts/bench --case 'rr 64' --rounds 7 --proxies penstock,nginx")
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for a table that is kept")
    parser.add_argument("--seconds", type=float, default=2, help="of load per measurement (2)")
    parser.add_argument("--case", default="", help="only cases whose name has this text in it")
    parser.add_argument("--proxies", metavar="LIST",
                        help=f"some of {', '.join(PROXIES)}, direct; separated by commas (all)")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE",
                        help="append the table to this file, and draw FILE.svg")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two cores, one for the proxy and one for the load")
    cases = [case for case in CASES if options.case in case.name]
    if not cases:
        names = "; ".join(case.name for case in CASES)
        sys.exit(f"bench: no case has {options.case!r} in its name; there are: {names}")
    proxies = [*PROXIES, "direct"]
    if options.proxies:
        unknown = set(options.proxies.split(",")) - set(proxies)
        if unknown:
            sys.exit(f"bench: no proxy {'; '.join(unknown)}; there are: {'; '.join(proxies)}")
        proxies = options.proxies.split(",")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    try:
        benchmark = Benchmark(Lab(folder, options.binaries.resolve()), options, proxies)
        benchmark.run(cases)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = (f"{header(options.binaries, options.rounds, options.seconds)}\n\n"
            f"{table(cases, benchmark.results)}\n")
    print(text)
    if options.write:
        with open(options.write, "a", encoding="utf-8") as file:
            file.write(f"\n## {datetime.date.today()}\n\n{text}")
        options.write.with_suffix(".svg").write_text(bars(cases, benchmark.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
