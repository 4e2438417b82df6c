"""max_connections, descriptors that run out, and storms of short connections."""
import os
import resource
import select
import threading
import time

import clients
import fleet
import pace
from suite import Skip, expect, test, until


class Gauge:
    """An echo backend that knows how many connections it has now and had at most."""

    def __init__(self):
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, stream):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        while data := stream.recv():
            stream.sendall(data)
        with self._lock:
            self.now -= 1  # before the FIN, with which the session may end
        stream.finish()


def asking_clients(t, penstock, count):
    """Connected clients that have sent a question."""
    streams = [clients.Stream(clients.connect(penstock.address())) for _ in range(count)]
    for stream in streams:
        t.defer(stream.close)
        stream.sendall(b"ping")
    return streams


def answered(streams, seconds=0.0):
    """Those whose answer (or end) is there."""
    readable = select.select([stream.socket for stream in streams], [], [], seconds)[0]
    return [stream for stream in streams if stream.socket in readable]


def leave(streams):
    for stream in streams:
        expect(stream.exactly(4) == b"ping", "the answer is right")
        stream.finish()
        expect(clients.drain(stream).end == "fin", "the session ends cleanly")
        stream.close()


@test("with max_connections 10, 30 clients are served ten at a time and none is lost")
def at_the_limit(t):
    gauge = Gauge()
    backend = fleet.Backend(t, gauge)
    for shards in (1, 2):
        penstock = t.front([backend], process={"max_connections": 10, "shards": shards})
        waiting = asking_clients(t, penstock, 30)
        until(lambda: len(answered(waiting)) == 10, 5, "ten answers")
        seen = penstock.counters()["sessions"]
        expect(seen["active"] == 10, f"{shards} shards: {seen}")
        quiet = [stream for stream in waiting if stream not in answered(waiting)]
        expect(not answered(quiet, 0.3), "the others wait")
        while waiting:
            served = until(lambda: answered(waiting), 5, f"the next of {len(waiting)} is served")
            expect(penstock.counters()["sessions"]["active"] <= 10, "never above ten")
            leave(served[:1])
            waiting.remove(served[0])
        expect(gauge.most == 10, f"the backend saw {gauge.most} connections at once")
        penstock.stop()


@test("with max_connections 1, 100 clients in parallel never exceed it")
def limit_of_one(t):
    gauge = Gauge()
    backend = fleet.Backend(t, gauge)
    penstock = t.front([backend], process={"max_connections": 1})

    def visit(_):
        with clients.Stream(clients.connect(penstock.address())) as stream:
            stream.sendall(b"ping")
            leave([stream])

    clients.parallel(visit, range(100))
    expect(gauge.most == 1, f"the backend saw {gauge.most} connections at once")
    expect(penstock.counters()["sessions"]["accepted"] == 100, "all were accepted in the end")


@test("clients that give up while they wait at the limit are not served later and leave nothing")
def waiting_clients_give_up(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], process={"max_connections": 2, "shards": 1})
    holders = asking_clients(t, penstock, 2)
    until(lambda: len(answered(holders)) == 2, 5, "two answers")
    for stream in asking_clients(t, penstock, 10):
        stream.close()
    patient = asking_clients(t, penstock, 1)
    expect(not answered(patient, 0.2), "the patient one waits")
    leave(holders)
    until(lambda: answered(patient), 5, "the patient one is served")
    leave(patient)


@test("a low RLIMIT_NOFILE at start is told and clamps max_connections: 60 clients are all served")
def low_descriptor_limit(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front(
        [backend], process={"max_connections": 1000}, wrapper=["prlimit", "--nofile=160:160"]
    )
    if resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE)[0] > 160:
        raise Skip("this user may raise RLIMIT_NOFILE, and penstock did")
    warning = penstock.wait_log(r"^max_connections is \d+ instead of 1000")
    expect(" 160" in warning, f"the limit is named: {warning}")
    clamped = int(warning.split()[2])
    expect(10 < clamped < 60, f"some connections fit: {warning}")
    waiting = asking_clients(t, penstock, 60)
    until(lambda: len(answered(waiting)) == clamped, 5, f"{clamped} answers")
    before = penstock.cpu_seconds()
    time.sleep(1)  # the time over which the CPU use is measured
    used = penstock.cpu_seconds() - before
    expect(used < pace.slow(0.2), f"{used:.2f} s of CPU in a second of waiting")
    while waiting:
        served = until(lambda: answered(waiting), 5, f"the next of {len(waiting)} is served")
        leave(served)
        waiting = [stream for stream in waiting if stream not in served]


def free_descriptors(penstock):
    """The numbers that penstock's next descriptors get, lowest first."""
    used = set(map(int, os.listdir(f"/proc/{penstock.pid}/fd")))
    return [fd for fd in range(1024) if fd not in used]


def limit_descriptors(penstock, soft):
    """Sets RLIMIT_NOFILE of the running process; returns what it was."""
    before, hard = resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE, (soft, hard))
    return before


@test("when descriptors run out, accept backs off without spinning, and recovers")
def descriptors_run_out(t):
    backend = fleet.Backend(t, fleet.echo)
    # At max_connections the accept is cancelled; armed again it meets the lowered limit, which a
    # multishot accept takes from when it was armed.
    penstock = t.front([backend], process={"max_connections": 2, "shards": 1})
    none_free = free_descriptors(penstock)[0]
    old, leaving = asking_clients(t, penstock, 2)
    until(lambda: len(answered([old, leaving])) == 2, 5, "two answers")
    before = limit_descriptors(penstock, none_free)
    leave([leaving])
    streams = asking_clients(t, penstock, 20)
    used = penstock.cpu_seconds()
    time.sleep(2)  # the time over which the CPU use is measured
    used = penstock.cpu_seconds() - used
    expect(used < pace.slow(0.1), f"{used:.2f} s of CPU in 2 s without descriptors")
    expect(penstock.counters()["faults"]["accept_errors"] > 0, "the failed accepts are counted")
    expect(not answered(streams), "nobody is served or turned away")
    leave([old])
    limit_descriptors(penstock, before)
    while streams:
        served = until(lambda: answered(streams), 5, f"one of {len(streams)} is served")
        leave(served)
        streams = [stream for stream in streams if stream not in served]
    penstock.stop()
    closed = penstock.snapshots[-1]["sessions"]["closed"]
    expect(closed == {"finished": 22}, f"nobody was turned away: {closed}")


@test("a session that finds no descriptor for its backend is closed as connect_failed")
def no_descriptor_to_dial(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    # The client's connection gets the first, and there is no second.
    before = limit_descriptors(penstock, free_descriptors(penstock)[1])
    expect(clients.closed_unserved(penstock.address()), "closed without a byte")
    expect(penstock.reasons(1) == ["connect_failed"], f"{penstock.records}")
    limit_descriptors(penstock, before)
    leave(asking_clients(t, penstock, 1))


@test("2000 short connections from 20 threads all get their bytes", limit=40)
def storm(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    each = t.count(100)

    def visits(number):
        question = bytes([number + 1]) * 64
        for _ in range(each):
            with clients.Stream(
                clients.connect(penstock.address(), f"127.0.7.{number + 1}")
            ) as stream:
                stream.sendall(question)
                stream.finish()
                expect(clients.drain(stream).size == 64, "64 bytes come back")

    clients.parallel(visits, range(20))
    counters = penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == 0, 5, "all sessions ended"
    )
    expect(counters["sessions"]["closed"] == {"finished": 20 * each}, f"{counters['sessions']}")


@test("500 sessions open at once all keep their own bytes", limit=30)
def many_sessions(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    count = t.count(500)
    streams = [clients.Stream(clients.connect(penstock.address())) for _ in range(count)]
    for stream in streams:
        t.defer(stream.close)
    for _ in range(3):
        for number, stream in enumerate(streams):
            stream.sendall(b"%06d" % number)
        for number, stream in enumerate(streams):
            expect(stream.exactly(6) == b"%06d" % number, "each session has its own bytes")
    expect(penstock.counters()["sessions"]["active"] == count, "all are open")
    for stream in streams:
        stream.close()
