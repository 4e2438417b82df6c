"""The kinds of load that scripts/bench puts on a proxy, and what is read of each."""

import dataclasses
import json
import pathlib
import re
import subprocess
import threading

from proxies import LOAD_CORE


@dataclasses.dataclass(frozen=True)
class Sample:
    """`value`: what the case compares, in the unit of its table: smaller is better."""

    value: float
    rate: float  # units a second
    p50_us: float
    p99_us: float


@dataclasses.dataclass(frozen=True)
class Case:
    """A load by penstock-load, and the proxy's CPU time for a unit of what it did.

    `target`: the most that penstock's figure may be of the best peer's. `equal_load`: measured
    once more in the open loop, for the latencies when all have the same to do.
    """

    name: str
    unit: str
    arguments: tuple
    target: float | None = None
    tls: bool = False
    equal_load: bool = False
    backend: str = "echo"
    warms_up: bool = True

    @property
    def scale(self):
        """How many ns the unit of `value` has, and what it is called."""
        return (1e6, f"ms/{self.unit}") if self.unit == "GB" else (1e3, f"µs/{self.unit}")

    def command(self, lab, port, seconds, extra=()):
        target = f"tls://127.0.0.1:{port}" if self.tls else f"127.0.0.1:{port}"
        return [lab.folder / "penstock-load", "run", target, "-d", f"{seconds * 1000:.0f}ms",
                "--cpus", LOAD_CORE, "--no-live", *self.arguments, *extra]

    def run(self, lab, port, seconds, extra=()):
        """What penstock-load has written of its run. Errors under load end the benchmark."""
        output = lab.folder / "run.json"
        command = [*self.command(lab, port, seconds, extra), "--json", output]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                              timeout=seconds + 90, check=False)
        run = json.loads(output.read_text()) if done.returncode in (0, 4) else {}
        output.unlink(missing_ok=True)
        if not run or run["errors"]:
            raise RuntimeError(f"{self.name}: errors under load:\n{done.stdout}{done.stderr}")
        return run

    def speed(self, rate):
        """What the proxy did in a second, as text."""
        return f"{rate:,.2f}" if self.unit == "GB" else f"{rate:,.0f}"

    def units(self, run):
        count = run["count"]
        if self.unit == "GB":
            return max(count["bytes_in"], count["bytes_out"]) / 1e9
        if self.unit == "handshake":
            return count["handshakes_full"] + count["handshakes_resumed"]
        return count["operations"]

    def measure(self, lab, process, port, seconds):
        before = process.cpu_ns() if process else 0
        run = self.run(lab, port, seconds)
        cpu = process.cpu_ns() - before if process else 0
        units = self.units(run)
        return Sample(cpu / units / self.scale[0], units / seconds, *latencies(run))

    def measure_equally(self, lab, _process, port, seconds, rate):
        """The same, at a rate that everybody can do: the figure is the 99th percentile."""
        arguments = tuple(a for a in self.arguments if a != "--closed")
        case = dataclasses.replace(self, arguments=(*arguments, "--rate", f"{rate:.0f}"))
        run = case.run(lab, port, seconds)
        p50, p99 = latencies(run)
        return Sample(p99, run["run"]["achieved_per_second"], p50, p99)


class ProbeCase(Case):
    """Requests beside bulk data: how long the 99th percentile of them takes."""

    @property
    def scale(self):
        return 1, "µs, p99"

    def measure(self, lab, process, port, seconds):
        run = self.run(lab, port, seconds)
        p50, p99 = latencies(run)
        return Sample(p99, self.units(run) / seconds, p50, p99)


class KernelMemory:
    """How much the memory grows that the kernel has for its own objects, sockets among them, while
    the block runs: of the whole machine, so of both ends of each connection.
    """

    grown_bytes = 0

    def __enter__(self):
        self._first = self._now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(0.1):
            self.grown_bytes = max(self.grown_bytes, self._now() - self._first)

    @staticmethod
    def _now():
        text = pathlib.Path("/proc/meminfo").read_text()
        return int(re.search(r"^SUnreclaim: +(\d+) kB", text, re.M)[1]) * 1024


class MemoryCase(Case):
    """Idle connections: the proxy's own memory for each; the rate is the kernel's, in KiB."""

    @property
    def scale(self):
        return 1, "KiB/connection"

    def speed(self, rate):
        return f"{rate:.1f} KiB/connection in the kernel"

    def measure(self, lab, process, port, seconds):
        pids = process.members() if process else []
        watch = ["--watch-pid", ",".join(map(str, pids))] if pids else []
        with KernelMemory() as kernel:
            run = self.run(lab, port, seconds, watch)
        grown = 0
        for pid in pids:
            samples = [s["pss_bytes"] for s in run["run"]["watched"] if s["process_id"] == pid]
            if samples:
                grown += max(samples) - samples[0]
        connections = run["count"]["connections"]
        return Sample(grown / connections / 1024, kernel.grown_bytes / connections / 1024, 0, 0)


class OtherToolCase(Case):
    """A second opinion, by another load tool."""

    def measure(self, lab, process, port, seconds):
        before = process.cpu_ns() if process else 0
        if self.backend == "http":
            command = ["wrk", "--latency", "-t1", *self.arguments, f"-d{max(1, round(seconds))}s",
                       f"http://127.0.0.1:{port}/"]
        else:
            command = ["iperf3", "-c", "127.0.0.1", "-p", port, "-J", "-t", max(1, round(seconds)),
                       *self.arguments]
        command = ["taskset", "-c", LOAD_CORE, *command]
        text = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True,
                              timeout=seconds + 30).stdout
        cpu = process.cpu_ns() - before if process else 0
        if self.backend == "iperf3":
            received = json.loads(text)["end"]["sum_received"]
            units = received["bytes"] / 1e9
            return Sample(cpu / units / self.scale[0], units / received["seconds"], 0, 0)
        if "Socket errors" in text or "Non-2xx" in text:
            raise RuntimeError(f"{self.name}: errors under load:\n{text}")
        units = int(re.search(r"(\d+) requests in", text).group(1))
        rate = float(re.search(r"Requests/sec: +([\d.]+)", text).group(1))
        p50, p99 = (to_us(re.search(rf"{p}%\s+([\d.]+\w+)", text).group(1)) for p in (50, 99))
        return Sample(cpu / units / self.scale[0], rate, p50, p99)


def to_us(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def latencies(run):
    percentiles = run["measures"].get("latency", {}).get("percentiles_ns", {})
    return percentiles.get("p50", 0) / 1e3, percentiles.get("p99", 0) / 1e3


def rr(connections, *more):
    return ("--closed", "-c", connections, *more)


def bulk(direction, streams, *more):
    return ("--mode", "bulk", "--direction", direction, "-c", streams, "--active", 0, *more)


# Many source addresses, as one has no more than some 28,000 ports for a target.
def each(mode, connections, *more):
    return ("--mode", mode, "--closed", "-c", connections, "--source", "127.0.0.0/24", *more)


CASES = [
    Case("rr 64 B, 1 connection", "request", rr(1), 0.90, equal_load=True),
    Case("rr 64 B, 64 connections", "request", rr(64), 0.65, equal_load=True),
    Case("rr 64 B, 1000 connections", "request", rr(1000), 0.50, equal_load=True),
    Case("rr 16 KiB, 64 connections", "request", rr(64, "--size", 16384), 0.60, equal_load=True),
    Case("download, 1 connection", "GB", bulk("down", 1), 0.80),
    Case("download, 8 connections", "GB", bulk("down", 8), 0.65),
    Case("download, 64 connections", "GB", bulk("down", 64), 0.40),
    Case("upload, 1 connection", "GB", bulk("up", 1)),
    Case("upload, 8 connections", "GB", bulk("up", 8), 0.65),
    Case("upload, 64 connections", "GB", bulk("up", 64)),
    Case("conn, 32 at a time", "connection", each("conn", 32), 0.75),
    Case("conn, 256 at a time", "connection", each("conn", 256), 0.75),
    Case("TLS rr 64 B, 64 connections", "request", rr(64), 0.70, tls=True, equal_load=True),
    Case("TLS handshakes, full", "handshake", each("tls", 32, "--tls-version", "1.3"), 0.90,
         tls=True),
    Case("TLS handshakes, resumed", "handshake",
         each("tls", 32, "--tls-version", "1.3", "--resume", 1), tls=True),
    # By requests: nginx ends a TLS connection whole when one side of it ends.
    Case("TLS download of 1 MiB each, 8 connections", "GB", rr(8, "--answer-size", 1 << 20), 0.75,
         tls=True),
    MemoryCase("idle connections, 5000", "connection",
               ("--mode", "hold", "-c", 5000, "--active", 0, "--dials", 5000),
               warms_up=False),
    MemoryCase("idle TLS connections, 5000", "connection",
               ("--mode", "hold", "-c", 5000, "--active", 0, "--dials", 1000), tls=True,
               warms_up=False),
    ProbeCase("rr probe beside a download", "GB",
              ("--mode", "bulk", "--direction", "down", "-c", 4, "--active", 4, "--rate", "1k"),
              1.0),
    OtherToolCase("wrk, 64 connections", "request", ("-c64",), backend="http", warms_up=False),
    OtherToolCase("iperf3, upload, 1 connection", "GB", (), backend="iperf3",
                  warms_up=False),
]
