"""penstock-load's flags: each does to connections and operations what it says, as the other side
sees it.
"""
import functools
import itertools
import pathlib
import re
import signal
import socket
import struct
import subprocess

import adversary
import fleet
import suite
from suite import Skip, expect, until
from test_load import load
from test_load_losses import Running, run_json

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

SIZE = 64


@test("load tool, --burst: as many operations at once, and the rate stays that of the operations")
def burst(t):
    actor = adversary.Adversary(t)
    asked, gate = [], actor.gate()

    def script(peer):
        data = yield from peer.receive(SIZE)
        asked.append(peer)
        if len(asked) == 10:
            gate.open()
        yield from peer.hold_until(gate)
        yield from peer.send(data)
        yield from peer.until_end()

    server = actor.server(script)
    # One after another they would take 90 s.
    done, own = run_json(t, server.address, "--rate", "0.1", "--burst", 10, "-n", 10, "-c", 10,
                         "-d", "60s", "--timeout", "10s")
    expect(done.returncode == 0 and own["errors"] == {}, f"{done.stdout}")
    expect(own["count"]["operations"] == 10 and len(asked) == 10, f"{own['count']}")
    expect("uniform arrivals of 10 at once" in done.stdout, done.stdout)


@test("load tool, --no-catchup: what finds no connection in time is never sent, and told as that")
def no_catchup(t):
    actor = adversary.Adversary(t)
    asked = []

    def script(peer):
        while (yield from peer.receive(SIZE)):
            asked.append(peer)
            yield from peer.until_end()

    server = actor.server(script, expected=(OSError, EOFError))
    done, own = run_json(t, server.address, "--rate", 200, "-n", 50, "-c", 2, "--no-catchup",
                         "--timeout", "1s", "-d", "60s")
    count = own["count"]
    expect(done.returncode == 1 and own["errors"] == {"timeout": len(asked)}, f"{done.stdout}")
    expect(1 <= len(asked) <= 2 and count["unsent"] == 50 - len(asked), f"{count}")
    told = f"{count['unsent']}  never sent: skipped, no catching up"
    expect(told in done.stdout and "no catching up: operations" in done.stdout, done.stdout)


class Echo:
    """A server that notes, for each connection, the requests and the port that they came from."""

    def __init__(self, actor, name="py"):
        self.requests, self.ports, self.cut = [], [], 0
        self.address = actor.server(self.script, name).address

    def script(self, peer):
        self.ports.append(peer.socket.getpeername()[1])
        for count in itertools.count():
            try:
                data = yield from peer.receive(SIZE)
            except EOFError:  # our end of the stream, in order
                self.requests.append(count)
                self.cut += peer.received % SIZE
                return
            yield from peer.send(data)


@test("load tool, --keepalive-requests: after so many a connection ends by FIN and the next begins")
def keepalive_requests(t):
    for options in ([], ["--depth", 4], ["--closed"]):
        echo = Echo(adversary.Adversary(t))
        load_shape = options + ([] if "--closed" in options else ["--rate", 1000])
        done, own = run_json(t, echo.address, *load_shape, "-n", 200, "-c", 2,
                             "--keepalive-requests", "3:5")
        expect(done.returncode == 0 and own["errors"] == {}, f"{options}: {done.stdout}")
        expect(sum(echo.requests) == 200 and echo.cut == 0, f"{options}: {echo.requests}")
        expect(own["count"]["connections"] == len(echo.requests), f"{options}: {own['count']}")
        # The last ones end with the run, maybe before their first.
        whole = [count for count in echo.requests if count >= 3]
        expect(len(echo.requests) - len(whole) <= 4, f"{options}: {echo.requests}")
        expect(set(whole) == {3, 4, 5}, f"{options}: {echo.requests}")
    nginx = fleet.Nginx(t, "a")
    done, own = run_json(t, f"http://{nginx.address}/", "--mode", "http", "--closed", "-n", 100,
                         "-c", 2, "--keepalive-requests", 10)
    expect(done.returncode == 0 and own["errors"] == {}, done.stdout)
    expect(10 <= own["count"]["connections"] <= 12, f"{own['count']}")


@test("load tool, --connect-to: connections go there in turn, Host and SNI stay the target's")
def connect_to(t):
    actor = adversary.Adversary(t)
    heads = {"a": [], "b": []}

    def server(name):
        def script(peer):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += yield from peer.receive(1)
            heads[name].append(head)
            yield from peer.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            yield from peer.until_end()

        return actor.server(script, name).address

    places = ",".join([server("a"), server("b")])
    done, own = run_json(t, "--mode", "conn", "--closed", "-n", 20, "-c", 1, "--connect-to", places,
                         "http://shop.invalid/x")
    expect(done.returncode == 0 and own["count"]["operations"] == 20, done.stdout)
    for name, seen in heads.items():
        expect(len(seen) == 10, f"{name}: {len(seen)} of 20")
        expect(all(head.startswith(b"GET /x HTTP/1.1\r\nHost: shop.invalid\r\n") for head in seen),
               f"{name}: {seen[0]}")


@test("load tool, several targets: the connections of all threads are shared out evenly")
def several_targets(t):
    actor = adversary.Adversary(t)
    echoes = [Echo(actor, name) for name in ("a", "b")]
    done, own = run_json(t, *(echo.address for echo in echoes), "--rate", 500, "-n", 50, "-c", 2,
                         "-t", 2)
    expect(done.returncode == 0 and own["count"]["operations"] == 50, done.stdout)
    expect([len(echo.ports) for echo in echoes] == [1, 1], f"{[echo.ports for echo in echoes]}")
    expect(sum(sum(echo.requests) for echo in echoes) == 50, f"{[e.requests for e in echoes]}")


@test("load tool, --sndbuf and --rcvbuf are what the kernel has of each connection")
def buffers(t):
    echo = Echo(adversary.Adversary(t))
    running = Running(t, echo.address, "--rate", 100, "-c", 2, "-d", "60s", "--sndbuf", 20000,
                      "--rcvbuf", 30000)
    until(lambda: len(echo.ports) == 2, 10, "it has connected")
    rows = subprocess.run(["ss", "-tmnH", "dst", echo.address], capture_output=True, text=True,
                          timeout=20, check=True).stdout
    running.process.send_signal(signal.SIGINT)
    running.finish()
    # The kernel doubles them for its own books (socket(7)).
    found = re.findall(r"skmem:\(r\d+,rb(\d+),t\d+,tb(\d+)", rows)
    expect(found == [("60000", "40000")] * 2, f"{rows}")
    done = load(t, echo.address, "--closed", "--rcvbuf", 1 << 30)
    expect(done.returncode == 1 and "net.core.rmem_max allows" in done.stderr, f"{done}")


@test("load tool, --port-range: connections come from these ports, or it says why they cannot")
def port_range(t):
    echo = Echo(adversary.Adversary(t))
    path = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    first, last = map(int, path.read_text(encoding="ascii").split())
    done = load(t, echo.address, "--closed", "-n", 20, "-c", 4, "--port-range", f"1:{last}")
    expect(done.returncode == 1 and "--port-range: " in done.stderr, f"{done}")
    expect(echo.ports == [], f"{echo.ports}")
    if "Linux 6.3" in done.stderr:
        raise Skip("this kernel cannot choose local ports")
    expect(f"are not within the system's own, {first} to {last}" in done.stderr, done.stderr)
    low = first + (last - first) // 2
    done, own = run_json(t, echo.address, "--closed", "-n", 20, "-c", 4, "--port-range",
                         f"{low}:{low + 99}")
    expect(done.returncode == 0 and own["count"]["operations"] == 20, done.stdout)
    expect(len(echo.ports) == 4 and all(low <= port < low + 100 for port in echo.ports),
           f"{low}: {echo.ports}")


@test("load tool, --proxy-proto v2: a binary header before the first request")
def proxy_protocol_v2(t):
    for source in ("", "192.0.2.7", "192.0.2.7:5000"):
        heads, peers = [], []

        def script(peer):
            peers.append(peer.socket.getpeername())
            heads.append((yield from peer.receive(28)))
            yield from peer.echo()

        address = adversary.Adversary(t).server(script).address
        done, own = run_json(t, address, "--closed", "-n", 3, "-c", 1, "--proxy-proto",
                             f"v2={source}" if source else "v2")
        expect(done.returncode == 0 and own["count"]["bytes_out"] == 3 * SIZE, done.stdout)
        host, port = address.rsplit(":", 1)
        from_host, _, from_port = source.partition(":")
        expected = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
                    + socket.inet_aton(from_host or peers[0][0]) + socket.inet_aton(host)
                    + struct.pack(">HH", int(from_port or peers[0][1]), int(port)))
        expect(heads == [expected], f"{source}: {heads} {expected}")


@test("load tool, --proxy-proto v1: a line before the TLS handshake")
def proxy_protocol_v1(t):
    for source in ("", "192.0.2.7:5000"):
        lines, peers = [], []

        def script(peer):
            peers.append(peer.socket.getpeername())
            line = b""
            while not line.endswith(b"\r\n"):
                line += yield from peer.receive(1)
            lines.append((line, (yield from peer.receive(1))))
            peer.reset()

        address = adversary.Adversary(t).server(script).address
        run_json(t, address, "--mode", "tls", "--closed", "-n", 1, "-c", 1, "--proxy-proto",
                 f"v1={source}" if source else "v1")
        host, port = address.rsplit(":", 1)
        from_host, from_port = source.split(":") if source else peers[0]
        line = f"PROXY TCP4 {from_host} {host} {from_port} {port}\r\n".encode()
        record_type = b"\x16"  # of a handshake (RFC 8446, 5.1)
        expect(lines == [(line, record_type)], f"{lines} {line}")


def scrape(url):
    """Each sample's value by its name and labels."""
    lines = fleet.curl("--fail", url).stdout.splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@test("load tool, --prom: what curl reads during the run is what the JSON says at its end")
def prometheus(t):
    actor = adversary.Adversary(t)
    asked, gate = [], actor.gate()

    def script(peer):
        for _ in range(49):
            data = yield from peer.receive(SIZE)
            yield from peer.send(data)
        data = yield from peer.receive(SIZE)
        asked.append(peer)
        yield from peer.hold_until(gate)
        yield from peer.send(data)
        yield from peer.until_end()

    server = actor.server(script)
    running = Running(t, server.address, "--rate", 500, "-n", 50, "-c", 1, "-d", "60s",
                      "--interval", "50ms", "--prom", 0)
    told = re.fullmatch(r"metrics on (http://127\.0\.0\.1:\d+/metrics)\n",
                        running.process.stderr.readline())
    expect(told, "it says where the metrics are")
    prefix = "penstock_load_"
    until(lambda: asked, 10, "the last request is there")

    def all_told():
        seen = scrape(told[1])
        whole = seen[prefix + "sent_bytes_total"] == 50 * SIZE
        return seen if whole and seen[prefix + "operations_total"] == 49 else None
    seen = until(all_told, 10, "49 operations are told")
    gate.open()
    done, own = running.finish()
    count = own["count"]
    expect(done.returncode == 0 and count["operations"] == 50, done.stdout)
    for name, expected in (
        ("operations_total", 49), ("unsent_total", 0), ('errors_total{class="timeout"}', 0),
        ("received_bytes_total", count["bytes_in"] - SIZE), ("connections_total", 1),
        ("sent_bytes_total", count["bytes_out"]), ("latency_seconds_count", 49),
        ('latency_seconds_bucket{le="+Inf"}', 49),
    ):
        expect(seen[prefix + name] == expected, f"{name}: {seen[prefix + name]}, {expected}")
    buckets = [value for name, value in seen.items() if "latency_seconds_bucket" in name]
    expect(len(buckets) > 10 and buckets == sorted(buckets), f"{buckets}")
    expect(0 < seen[prefix + "service_seconds_sum"] <= seen[prefix + "latency_seconds_sum"],
           f"{seen}")


@test("load tool, a handshake that the target refuses is told by the alert that it sent")
def tls_alerts(t):
    echo = fleet.Backend(t, fleet.echo, expected=(OSError,))
    penstock = t.front([echo], "plain", listener={"tls": t.shared.tls(min_version="1.3")})
    done, own = run_json(t, penstock.address(), "--mode", "tls", "--rate", 100, "-n", 10, "-c", 2,
                         "--tls-version", "1.2")
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect(own["errors"] == {"handshake_failed": 10}, f"{own['errors']}")
    expect(own["tls_alerts"] == {"70": 10}, f"{own['tls_alerts']}")
    expect("10  TLS alert 70: protocol_version" in done.stdout, done.stdout)
