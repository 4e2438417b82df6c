"""Measures penstock beside HAProxy and nginx in one run: CPU time of the proxy per unit of work.

Each proxy runs alone on one core (one shard, one thread, one worker), wrk and the nginx backend on
the other; the figure that counts is the proxy's own CPU, all its threads, from
/proc/PID/task/*/schedstat, which stays comparable when the machine is noisy. The proxies take turns
within a round, medians are over the rounds. Called by scripts/bench.
"""

import argparse
import contextlib
import dataclasses
import datetime
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PROXY_CORE, LOAD_CORE = 0, 1
WRK_THREADS = 1


@dataclasses.dataclass(frozen=True)
class Case:
    """One kind of load. `unit` is what the CPU time is divided by."""

    name: str
    unit: str
    connections: int
    path: str = "/small"
    tls: bool = False
    close: bool = False


CASES = [
    Case("http, 1 connection", "request", 1),
    Case("http, 64 connections", "request", 64),
    Case("http, 512 connections", "request", 512),
    Case("http, new connection each, 32 at a time", "connection", 32, close=True),
    Case("download 1 MiB, 8 connections", "GB", 8, path="/large"),
    Case("https, 64 connections", "request", 64, tls=True),
    Case("https, new connection each, 32 at a time", "handshake", 32, tls=True, close=True),
    Case("https download 1 MiB, 8 connections", "GB", 8, path="/large", tls=True),
]


@dataclasses.dataclass
class Sample:
    cpu_ns: float  # per unit
    rate: float  # units per second
    p50_us: float
    p99_us: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


def unprivileged() -> list[str]:
    """All proxies run as nobody without capabilities, so that a limit binds all or none."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]


def start(core: int, command: list[str], log: pathlib.Path) -> subprocess.Popen:
    with open(log, "wb") as output:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True)


def stop(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cpu_ns(process: subprocess.Popen) -> int:
    """CPU time of every process and thread of the session: a master with workers counts whole."""
    total = 0
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ProcessLookupError):
            if os.getsid(int(entry.name)) != process.pid:
                continue
            for task in (entry / "task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total


class Bench:
    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, seconds: float):
        self.folder, self.seconds = folder, seconds
        self.binary = folder / "penstock"  # a copy: nobody may not be allowed into the build folder
        shutil.copy(binary, self.binary)
        self.backend_port = free_port()
        self.backend: subprocess.Popen | None = None
        os.chmod(folder, 0o755)
        self.make_certificate()
        self.make_content()

    def make_certificate(self) -> None:
        chain, key = self.folder / "chain.pem", self.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain],
            check=True, capture_output=True)
        (self.folder / "both.pem").write_text(chain.read_text() + key.read_text())
        for file in (chain, key, self.folder / "both.pem"):
            file.chmod(0o644)

    def make_content(self) -> None:
        root = self.folder / "www"
        root.mkdir()
        (root / "small").write_bytes(b"x" * 64)
        (root / "large").write_bytes(os.urandom(1 << 20))

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def start_backend(self) -> None:
        config = self.write("backend.conf", f"""
            daemon off; master_process off;
            pid {self.folder}/backend.pid; error_log {self.folder}/backend.err;
            worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; sendfile on; tcp_nopush on;
              keepalive_requests 1000000000; keepalive_timeout 1h;
              client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2;
              fastcgi_temp_path {self.folder}/t3; uwsgi_temp_path {self.folder}/t4;
              scgi_temp_path {self.folder}/t5;
              open_file_cache max=10;
              server {{
                listen 127.0.0.1:{self.backend_port} backlog=4096; root {self.folder}/www;
              }}
            }}""")
        command = ["nginx", "-e", f"{self.folder}/backend.err", "-c", str(config)]
        self.backend = start(LOAD_CORE, command, self.folder / "backend.log")
        wait_for_port(self.backend_port)

    def penstock(self, port: int, tls: bool) -> list[str]:
        pair = '{ chain = "chain.pem", key = "key.pem" }'
        certificate = f"tls = {{ certificates = [{pair}] }}" if tls else ""
        config = self.write("penstock.toml", f"""
            [listeners.bench]
            bind = ["127.0.0.1:{port}"]
            pool = "app"
            {certificate}
            [pools.app]
            backends = ["127.0.0.1:{self.backend_port}"]
            [process]
            shards = 1
            pin = false
            max_connections = 4000
            """)
        return [*unprivileged(), str(self.binary), "run", "--config", str(config)]

    def haproxy(self, port: int, tls: bool) -> list[str]:
        certificate = f"ssl crt {self.folder}/both.pem" if tls else ""
        config = self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 4000
  tune.ssl.default-dh-param 2048
defaults
  mode tcp
  option splice-auto
  timeout connect 3s
  timeout client 10m
  timeout server 10m
frontend bench
  bind 127.0.0.1:{port} backlog 4096 {certificate}
  default_backend app
backend app
  server one 127.0.0.1:{self.backend_port}
""")
        return [*unprivileged(), "haproxy", "-db", "-f", str(config)]

    def nginx(self, port: int, tls: bool) -> list[str]:
        certificate = (f"ssl_certificate {self.folder}/chain.pem; "
                       f"ssl_certificate_key {self.folder}/key.pem; "
                       "ssl_session_cache off;") if tls else ""
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        load = f"load_module {module};" if module.exists() else ""
        work = self.folder / "nginx"
        work.mkdir(exist_ok=True)
        work.chmod(0o777)
        config = self.write("nginx.conf", f"""
            {load}
            daemon off; master_process off; pid {work}/pid; error_log {work}/err;
            worker_rlimit_nofile 10000;
            events {{ worker_connections 9000; multi_accept on; }}
            stream {{
              access_log off;
              server {{
                listen 127.0.0.1:{port} backlog=4096 {"ssl" if tls else ""}; {certificate}
                tcp_nodelay on; proxy_pass 127.0.0.1:{self.backend_port};
              }}
            }}""")
        return [*unprivileged(), "nginx", "-e", f"{work}/err", "-c", str(config)]

    def measure(self, proxy: str, case: Case) -> Sample:
        port = free_port()
        command = getattr(self, proxy)(port, case.tls)
        process = start(PROXY_CORE, command, self.folder / f"{proxy}.log")
        try:
            wait_for_port(port)
            self.load(port, case, 0.5)  # caches, pools and branch predictors of all are warm
            before = cpu_ns(process)
            text = self.load(port, case, self.seconds)
            return self.sample(case, text, cpu_ns(process) - before)
        except Exception:
            sys.stderr.write((self.folder / f"{proxy}.log").read_text(errors="replace")[-2000:])
            raise
        finally:
            stop(process)

    def load(self, port: int, case: Case, seconds: float) -> str:
        scheme = "https" if case.tls else "http"
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "--latency", "-t", str(WRK_THREADS),
                   "-c", str(case.connections), "-d", f"{max(1, round(seconds))}s",
                   f"{scheme}://127.0.0.1:{port}{case.path}"]
        if case.close:
            command[-1:-1] = ["-H", "Connection: close"]
        return subprocess.run(command, check=True, capture_output=True, text=True,
                              timeout=seconds + 30).stdout

    def sample(self, case: Case, text: str, cpu: int) -> Sample:
        requests = int(re.search(r"(\d+) requests in", text).group(1))
        errors = re.search(
            r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        # With `Connection: close` wrk counts the end of each connection as a read error.
        counts = [int(n) for n in errors.groups()] if errors else [0, 0, 0, 0]
        failed = sum(counts) - (counts[1] if case.close else 0)
        if bad or failed > 0 or requests == 0:
            raise RuntimeError(f"{case.name}: errors under load:\n{text}")
        units = requests * (1 << 20) / 1e9 if case.unit == "GB" else requests
        elapsed = to_us(re.search(r"requests in ([\d.]+\w+)", text).group(1)) / 1e6
        p50, p99 = (to_us(re.search(rf"{p}%\s+([\d.]+\w+)", text).group(1)) for p in (50, 99))
        return Sample(cpu / units, units / elapsed, p50, p99)


def to_us(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def header(binary: pathlib.Path, rounds: int, seconds: float) -> str:
    control = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return "\n".join([
        f"Date {datetime.date.today()}; {os.cpu_count()} cores, "
        f"{cpu.group(1) if cpu else platform.machine()}; Linux {platform.release()}; congestion "
        f"control {control}.",
        f"{version([str(binary), '--version'])}; {version(['haproxy', '-v'])}; "
        f"{version(['nginx', '-v'])}; {version(['openssl', 'version'])}.",
        f"Medians of {rounds} rounds of {seconds:g} s (in brackets: lowest and highest). Proxy "
        f"alone on core {PROXY_CORE}, wrk and backend on core {LOAD_CORE}.",
    ])


def scale(case: Case) -> tuple[float, str]:
    return (1e6, "ms") if case.unit == "GB" else (1e3, "µs")


def table(results: dict, proxies: list[str]) -> str:
    columns = ["case", *(f"{p}, CPU per unit" for p in proxies), "ratio to best peer",
               *(f"{p}, per s; p50 / p99 ms" for p in proxies)]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for case, by_proxy in results.items():
        divisor, unit = scale(case)
        cells, speeds, medians = [], [], {}
        for proxy in proxies:
            cpu = sorted(sample.cpu_ns / divisor for sample in by_proxy[proxy])
            medians[proxy] = statistics.median(cpu)
            spread = f"({cpu[0]:.1f} to {cpu[-1]:.1f})"
            cells.append(f"{medians[proxy]:.1f} {unit}/{case.unit} {spread}")
            rate, p50, p99 = (statistics.median(getattr(s, field) for s in by_proxy[proxy])
                              for field in ("rate", "p50_us", "p99_us"))
            digits = 2 if case.unit == "GB" else 0
            speeds.append(f"{rate:,.{digits}f}; {p50 / 1e3:.2f} / {p99 / 1e3:.2f}")
        peers = [medians[p] for p in proxies if p != "penstock"]
        compared = peers and "penstock" in medians
        ratio = f"**{medians['penstock'] / min(peers):.2f}**" if compared else "-"
        lines.append("| " + " | ".join([case.name, *cells, ratio, *speeds]) + " |")
    return "\n".join(lines)


def run_rounds(bench: Bench, cases: list[Case], proxies: list[str], rounds: int) -> dict:
    results: dict[Case, dict[str, list[Sample]]] = {c: {p: [] for p in proxies} for c in cases}
    for number in range(rounds):
        for case in cases:
            divisor, unit = scale(case)
            for proxy in proxies:
                sample = bench.measure(proxy, case)
                results[case][proxy].append(sample)
                print(f"round {number + 1}/{rounds}  {case.name}: {proxy} "
                      f"{sample.cpu_ns / divisor:.1f} {unit}/{case.unit}",
                      file=sys.stderr, flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0],
                                     epilog="example: scripts/bench --case 'http, 64' --rounds 7")
    parser.add_argument("--binary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for a table that is kept")
    parser.add_argument("--seconds", type=float, default=3, help="of load per measurement")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--proxies", default="penstock,haproxy,nginx", help="comma-separated")
    parser.add_argument("--write", type=pathlib.Path, help="append the table to this file")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two cores, one for the proxy and one for the load")
    cases = [c for c in CASES if options.case in c.name]
    proxies = options.proxies.split(",")
    if not cases:
        names = "; ".join(c.name for c in CASES)
        sys.exit(f"bench: no case contains {options.case!r}; there are: {names}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    bench = Bench(options.binary.resolve(), folder, options.seconds)
    try:
        bench.start_backend()
        results = run_rounds(bench, cases, proxies, options.rounds)
    finally:
        if bench.backend:
            stop(bench.backend)
        shutil.rmtree(folder, ignore_errors=True)
    facts = header(options.binary, options.rounds, options.seconds)
    text = f"{facts}\n\n{table(results, proxies)}\n"
    print(text)
    if options.write:
        with open(options.write, "a", encoding="utf-8") as file:
            file.write(f"\n## {datetime.date.today()}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
