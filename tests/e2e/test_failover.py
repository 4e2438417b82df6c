"""Backends that die and come back under load: only their keys move, nothing new fails, sessions
of others stay.
"""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import clients
import fleet
import pace
import predictor
from suite import expect, test, until

HEALTH = {
    "type": "http",
    "path": "/healthz",
    "interval": "200ms",
    "timeout": "500ms",
    "rise": 2,
    "fall": 2,
}


def ports_of_process(pid, remote_port):
    """The local ports of a process's TCP connections to a port of this machine."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue  # closed meanwhile
        if match:
            inodes.add(match.group(1))
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(row[1].split(":")[1], 16)
        for row in rows
        if row[9] in inodes and int(row[2].split(":")[1], 16) == remote_port
    ]


class Visitors:
    """200 addresses that keep opening new connections; every answer is compared with the table."""

    def __init__(self, address, table):
        self.address = address
        self.table = table
        self.stop = threading.Event()
        self.answers = []  # (begun, source, port, name or None)
        self._group = clients.Parallel()
        for part in range(4):
            self._group.start(
                self._visit, [f"127.0.{40 + part}.{1 + number}" for number in range(50)]
            )

    def _visit(self, sources):
        while not self.stop.is_set():
            for source in sources:
                self._visit_once(source)
                if self.stop.wait(0.004):
                    return

    def _visit_once(self, source):
        begun = time.monotonic()
        port, name = None, None
        try:
            with clients.Stream(clients.connect(self.address, source)) as stream:
                port = stream.socket.getsockname()[1]
                stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(stream.recv, b""))
                name = answer.decode().rsplit("\r\n\r\n", 1)[-1].strip() or None
        except OSError:
            pass  # recorded as an answer of None
        self.answers.append((begun, source, port, name))

    def finish(self):
        self.stop.set()
        self._group.join()

    def reached(self, name, since):
        return any(answer[3] == name for answer in self.answers if answer[0] > since)

    def between(self, start, end):
        return [answer for answer in self.answers if start <= answer[0] < end]


@test("an nginx killed under wrk costs only its own connections and moves only its keys", limit=45)
def kill_one_under_load(t):
    servers = fleet.nginx_fleet(t)
    penstock = t.front(servers, pool={"hash_key": "source_ip_port", "health": HEALTH})
    table = predictor.equal("abc")
    url = f"http://{penstock.address()}/"
    wrk = subprocess.Popen(
        ["wrk", "-t1", "-c64", "-d60s", "--timeout", "5s", url],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    t.defer(wrk.kill)
    port = int(penstock.address().rsplit(":", 1)[1])
    ports = until(
        lambda: len(found := ports_of_process(wrk.pid, port)) == 64 and found,
        5,
        "64 wrk connections",
    )
    visitors = Visitors(penstock.address(), table)
    t.defer(visitors.stop.set)
    until(lambda: len(visitors.answers) > 200, 10, "200 visits before the kill")
    killing = time.monotonic()
    servers[1].kill()
    killed = time.monotonic()
    penstock.wait_log(r"app/b down: .*, 2 of 2")
    seen_down = time.monotonic()
    until(
        lambda: len(visitors.between(seen_down, time.monotonic())) > 200,
        10,
        "200 visits while b is down",
    )
    restarting = time.monotonic()
    servers[1].start()
    penstock.wait_log(r"app/b up")
    up = time.monotonic()
    until(
        lambda: len(visitors.between(up, time.monotonic())) > 200, 10, "200 visits after b is back"
    )
    visitors.finish()
    wrk.send_signal(signal.SIGINT)  # it prints what it has
    check_visits(visitors, table, (killing, killed, restarting, up))
    on_b = sum(table.pick("127.0.0.1", port) == "b" for port in ports)
    check_wrk(wrk.communicate(timeout=pace.slow(10))[0], on_b)


def check_visits(visitors, table, moments):
    killing, killed, restarting, up = moments
    for begun, source, port, name in visitors.answers:
        home = table.pick(source, port) if port else None
        moved = table.pick(source, port, {"b"}) if port else None
        if begun < killed and home == "b":
            # Open to b when it died, or on its way there: may have failed, and nothing else.
            allowed = {"b", moved} if begun < killing - pace.slow(0.5) else {"b", moved, None}
        elif killed <= begun < restarting:
            allowed = {moved}
        elif restarting <= begun < up:
            allowed = {home, moved}
        else:
            allowed = {home}
        expect(
            name in allowed,
            f"{source}:{port} reached {name}, allowed {allowed}, at {begun - killed:+.3f} s",
        )
    expect(visitors.reached("b", up), "b's keys returned to it")


def check_wrk(output, on_b):
    match = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    errors = sum(map(int, match.groups())) if match else 0
    expect(
        errors <= on_b,
        f"wrk had {errors} errors, {on_b} of its connections were open to b:\n{output}",
    )
    expect("Non-2xx" not in output, output)
    expect(int(re.search(r"(\d+) requests in", output).group(1)) > 100, output)


class Switchable:
    """An HTTP health answer that can be switched, on the same port as an echo for everything
    else.
    """

    def __init__(self):
        self.status = "200 OK"

    def __call__(self, stream):
        first = stream.recv()
        if not first.startswith(b"GET /healthz "):
            stream.sendall(first)
            return fleet.echo(stream)
        stream.sendall(
            f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        stream.finish()
        return None


@test("sessions of a backend that goes down by health stay, new ones go elsewhere, and come back")
def sessions_stay(t):
    switch = Switchable()
    sick = fleet.Backend(t, switch, "sick", expected=(OSError,))
    well = fleet.Backend(t, Switchable(), "well", expected=(OSError,))
    penstock = t.front([sick, well], pool={"health": HEALTH})
    source = predictor.equal(["sick", "well"]).address_with_order("sick")
    with clients.Stream(clients.connect(penstock.address(), source)) as old:
        echo_once(old, b"before")
        switch.status = "503 Service Unavailable"
        evidence = penstock.wait_log(r"app/sick down: ")
        expect(
            "503" in evidence and "2 of 2" in evidence, f"the evidence names the status: {evidence}"
        )
        echo_once(old, b"while down")
        with clients.Stream(clients.connect(penstock.address(), source)) as new:
            echo_once(new, b"new")
            active = {
                name: group["active"] for name, group in penstock.counters()["backends"].items()
            }
            expect(active == {"app/sick": 1, "app/well": 1}, f"one session each: {active}")
        switch.status = "200 OK"
        penstock.wait_log(r"app/sick up")
        echo_once(old, b"after")
        with clients.Stream(clients.connect(penstock.address(), source)) as back:
            echo_once(back, b"back")
            active = penstock.counters()["backends"]["app/sick"]["active"]
            expect(active == 2, f"the address is back on its backend: {active}")


def echo_once(stream, text):
    stream.sendall(text)
    expect(stream.exactly(len(text)) == text, f"the echo of {text}")


@test("health changes are logged with evidence, and a pool without a living backend closes at once")
def no_living_backend(t):
    address = fleet.refused_address()
    health = {"type": "tcp", "interval": "100ms", "timeout": "500ms", "rise": 1, "fall": 3}
    penstock = t.front([{"name": "big", "address": address}], pool={"health": health})
    penstock.wait_log(r"^app/big down: connect refused, 3 of 3$")
    start = time.monotonic()
    expect(clients.closed_unserved(penstock.address()), "closed without a byte")
    expect(
        time.monotonic() - start < pace.slow(0.5), "closed at once, not after a connect"
    )
    record = penstock.wait_records(1)[0]
    expect(
        record["reason"] == "no_backend" and record["tries"] == 0,
        f"no backend was dialled: {record}",
    )
    with fleet.listen(address):
        penstock.wait_log(r"^app/big up")


@test("an http check wants its status, sends its host, and takes a silent server as a timeout")
def http_check_details(t):
    seen = []

    def teapot(stream):
        head = stream.recv()
        seen.append(head)
        stream.sendall(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")

    def silent(stream):
        clients.drain(stream)

    backends = [
        fleet.Backend(t, teapot, "teapot", expected=(OSError,)),
        fleet.Backend(t, silent, "silent", expected=(OSError,)),
    ]
    health = {
        "type": "http",
        "path": "/alive?x=1",
        "host": "fleet.test",
        "expect": "418",
        "interval": "100ms",
        "timeout": "200ms",
        "fall": 2,
    }
    penstock = t.front(backends, pool={"health": health})
    penstock.wait_log(r"^app/silent down: no answer within 200ms, 2 of 2$")
    expect(
        not any(text.startswith("app/teapot down") for text in penstock.texts()), "418 was expected"
    )
    head = seen[0].decode()
    expect(head.startswith("GET /alive?x=1 HTTP/1."), f"the path: {head}")
    expect("\r\nHost: fleet.test\r\n" in head, f"the host: {head}")
