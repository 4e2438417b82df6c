"""The proxies that scripts/bench measures, each with one thread on a core of its own and as nobody
without capabilities, and the servers behind them.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PROXY_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 6000  # at once, at most
NGINX_STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


def unprivileged():
    """All proxies run as nobody without capabilities, so that a limit binds all or none."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]


class Process:
    """A program on one core, in a session of its own, so that its workers count with it."""

    def __init__(self, core, command, log):
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *command], stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def members(self):
        """The process and what it has started."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry.name)) == self.process.pid:
                        found.append(int(entry.name))
        return found

    def cpu_ns(self):
        """CPU time of all their threads so far."""
        total = 0
        for number in self.members():
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{number}/task").iterdir():
                    total += int((task / "schedstat").read_text().split()[0])
        return total

    def said(self):
        return self.log.read_text(errors="replace")[-2000:]


class Lab:
    """A folder with copies of the binaries and a certificate, and what runs out of it."""

    def __init__(self, folder, binaries):
        self.folder = folder
        folder.chmod(0o755)  # nobody may not be allowed into the build folder
        for name in ("penstock", "penstock-load"):
            shutil.copy(binaries / name, folder / name)
        chain, key = folder / "chain.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain],
            check=True, capture_output=True)
        (folder / "both.pem").write_text(chain.read_text() + key.read_text())
        for file in (chain, key, folder / "both.pem"):
            file.chmod(0o644)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def serve(self, kind, tls):
        """A server of that kind; the process and its port."""
        port = free_port()
        command = {
            "echo": [self.folder / "penstock-load", "serve", "echo", "--listen",
                     f"127.0.0.1:{port}", "-c", CONNECTIONS],
            "http": [self.folder / "penstock-load", "serve", "http", "--listen",
                     f"127.0.0.1:{port}", "-c", CONNECTIONS, "--body-size", 64],
            "iperf3": ["iperf3", "-s", "-B", "127.0.0.1", "-p", port],
        }[kind]
        if tls:
            command += ["--certificate", self.folder / "chain.pem",
                        "--key", self.folder / "key.pem"]
        process = Process(str(LOAD_CORE), list(map(str, command)), self.folder / f"{kind}.log")
        # iperf3 would take the trial for a test, and says when it listens.
        if kind == "iperf3":
            time.sleep(0.5)
        else:
            wait_for_port(port)
        return process, port

    def start(self, proxy, backend_port, tls):
        """A proxy before that backend; the process and its port."""
        port = free_port()
        command = PROXIES[proxy](self, port, backend_port, tls)
        cores = "0,1" if proxy == "penstock-2-shards" else str(PROXY_CORE)
        log = self.folder / f"{proxy}.log"
        process = Process(cores, [*unprivileged(), *map(str, command)], log)
        try:
            wait_for_port(port)
        except RuntimeError as error:
            process.stop()
            raise RuntimeError(f"{proxy}: {error}: {process.said()}") from error
        return process, port


def penstock(lab, port, backend_port, tls, shards=1):
    pair = '{ chain = "chain.pem", key = "key.pem" }'
    config = lab.write("penstock.toml", f"""
        [listeners.bench]
        bind = ["127.0.0.1:{port}"]
        pool = "app"
        {f"tls = {{ certificates = [{pair}] }}" if tls else ""}
        [pools.app]
        backends = ["127.0.0.1:{backend_port}"]
        [process]
        shards = {shards}
        pin = {"true" if shards > 1 else "false"}
        max_connections = {CONNECTIONS}
        """)
    return [lab.folder / "penstock", "run", "--config", config]


def penstock_2(lab, port, backend_port, tls):
    return penstock(lab, port, backend_port, tls, shards=2)


def haproxy(lab, port, backend_port, tls, tuning=""):
    config = lab.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn {CONNECTIONS}
  tune.ssl.default-dh-param 2048
  {tuning}
defaults
  mode tcp
  option splice-auto
  timeout connect 3s
  timeout client 10m
  timeout server 10m
frontend bench
  bind 127.0.0.1:{port} backlog 4096 {f"ssl crt {lab.folder}/both.pem" if tls else ""}
  default_backend app
backend app
  server one 127.0.0.1:{backend_port}
""")
    return ["haproxy", "-db", "-f", config]


def haproxy_tuned(lab, port, backend_port, tls):
    # Its manual: larger pipes for splicing, larger buffers for what it copies.
    return haproxy(lab, port, backend_port, tls, "tune.pipesize 1048576\n  tune.bufsize 65536")


def nginx(lab, port, backend_port, tls):
    # Its default of this age leaves TLS 1.3 out, which would compare two protocols.
    certificate = (f"ssl_certificate {lab.folder}/chain.pem; "
                   f"ssl_certificate_key {lab.folder}/key.pem; "
                   "ssl_protocols TLSv1.2 TLSv1.3;") if tls else ""
    work = lab.folder / "nginx"
    work.mkdir(exist_ok=True)
    work.chmod(0o777)
    config = lab.write("nginx.conf", f"""
        {f"load_module {NGINX_STREAM};" if NGINX_STREAM.exists() else ""}
        daemon off; master_process off; pid {work}/pid; error_log {work}/err;
        worker_rlimit_nofile {3 * CONNECTIONS};
        events {{ worker_connections {3 * CONNECTIONS}; multi_accept on; }}
        stream {{
          access_log off;
          server {{
            listen 127.0.0.1:{port} backlog=4096 {"ssl" if tls else ""}; {certificate}
            tcp_nodelay on; proxy_half_close on; proxy_pass 127.0.0.1:{backend_port};
          }}
        }}""")
    return ["nginx", "-e", f"{work}/err", "-c", config]


PROXIES = {"penstock": penstock, "haproxy": haproxy, "haproxy-tuned": haproxy_tuned,
           "nginx": nginx, "penstock-2-shards": penstock_2}
