"""max_connections, descriptors that run out, and storms of short connections."""
import resource
import select
import threading
import time

import clients
import fleet
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
        try:
            return fleet.echo(stream)
        finally:
            with self._lock:
                self.now -= 1


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
    time.sleep(2)  # the time over which the CPU use is measured
    used = penstock.cpu_seconds() - before
    expect(used < 0.4, f"{used:.2f} s of CPU in 2 s of waiting")
    while waiting:
        served = until(lambda: answered(waiting), 5, f"the next of {len(waiting)} is served")
        leave(served)
        waiting = [stream for stream in waiting if stream not in served]


@test("when descriptors run out, accept backs off without spinning, and recovers")
def descriptors_run_out(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    with clients.Stream(clients.connect(penstock.address())) as old:
        old.sendall(b"ping")
        expect(old.exactly(4) == b"ping", "a session before")
        soft, hard = resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE, (penstock.descriptors() + 5, hard))
        streams = asking_clients(t, penstock, 20)
        before = penstock.cpu_seconds()
        time.sleep(2)  # the time over which the CPU use is measured
        used = penstock.cpu_seconds() - before
        expect(used < 0.4, f"{used:.2f} s of CPU in 2 s without descriptors")
        expect(penstock.counters()["faults"]["accept_errors"] > 0, "the failed accepts are counted")
        old.sendall(b"pong")
        expect(old.exactly(4) == b"pong", "the old session goes on")
        resource.prlimit(penstock.pid, resource.RLIMIT_NOFILE, (soft, hard))
        expect(all_end_or_answer(streams) >= 10, "those that waited are served")
        fresh = asking_clients(t, penstock, 20)
        until(lambda: len(answered(fresh)) == 20, 5, "all new clients are served")
        leave(fresh)
        old.finish()
        expect(clients.drain(old).end == "fin", "the old session ends cleanly")
    reasons = set(penstock.counters()["sessions"]["closed"])
    expect(reasons <= {"finished", "connect_failed"}, f"reasons: {reasons}")


def all_end_or_answer(streams):
    """Waits until each is answered or closed (no descriptor for its backend); how many were
    answered.
    """
    until(lambda: len(answered(streams)) == len(streams), 8, "each client is answered or closed")
    good = 0
    for stream in streams:
        try:
            good += stream.recv(4) == b"ping"
        except OSError:
            pass  # reset for want of a descriptor
        stream.close()
    return good


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
