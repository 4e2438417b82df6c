"""Dialling: what refuses, hangs or is full is retried on the next backend in hash order, unseen
by the client.
"""
import time

import clients
import fleet
import pace
import predictor
from suite import expect, test


def named(name, address):
    return {"name": name, "address": address}


def total(counters, key):
    return sum(group[key] for group in counters["backends"].values())


@test(
    "a refused backend first in hash order is not noticed by the client, and its failure is counted"
)
def refused_then_next(t):
    server = fleet.Nginx(t, "good")
    penstock = t.front([named("bad", fleet.refused_address()), server])
    source = predictor.equal(["bad", "good"]).address_with_order("bad", "good")
    for _ in range(10):
        expect(
            fleet.get(penstock.address(), source) == "good",
            "the request is answered by the next backend",
        )
    records = penstock.wait_records(10)
    expect(
        all(record["tries"] == 2 and record["backend"] == "app/good" for record in records),
        f"{records}",
    )
    counters = penstock.counters()["backends"]
    expect(counters["app/bad"]["failed_connects"] == 10, f"failures are counted: {counters}")
    expect(
        counters["app/bad"]["connections"] == 0 and counters["app/good"]["connections"] == 10,
        f"{counters}",
    )


@test("bytes that the client sent before the retry are not lost: plain and TLS")
def early_bytes_survive(t):
    clients.parallel(lambda kind: early_bytes(t, kind), clients.KINDS)


def early_bytes(t, kind):
    backend = fleet.Backend(t, fleet.echo, "good")
    hang = fleet.fill_backlog(t, f"{fleet.next_host()}:0")
    backends = [named("bad", fleet.refused_address()), named("hang", hang), backend]
    penstock = t.front(backends, kind, pool={"connect_timeout": "300ms"})
    table = predictor.equal(["bad", "good", "hang"])
    source = table.address_with_order("hang", "bad", "good")
    payload = clients.Payload(300000)
    with clients.open_stream(kind, penstock.address(), t.shared, source=source) as stream:
        group = clients.Parallel()
        group.start(payload.send, stream, seed=1)
        received = clients.drain(stream, payload.size)
        group.join()
        expect(received.digest == payload.digest, f"{kind}: the echo is exact: {received}")
        stream.finish()
        expect(clients.drain(stream).end == "fin", "and ends cleanly")
    record = penstock.wait_records(1)[0]
    expect(record["tries"] == 3, f"three backends were tried: {record}")


@test("a backend that does not answer is given up after connect_timeout, and the next one serves")
def connect_timeout(t):
    server = fleet.Nginx(t, "good")
    hang = fleet.fill_backlog(t, f"{fleet.next_host()}:0")
    penstock = t.front([named("hang", hang), server], pool={"connect_timeout": "400ms"})
    source = predictor.equal(["hang", "good"]).address_with_order("hang", "good")
    start = time.monotonic()
    expect(fleet.get(penstock.address(), source) == "good", "the next backend serves")
    seconds = time.monotonic() - start
    expect(
        0.35 < seconds < pace.slow(1.5), f"after the timeout and not much later: {seconds:.2f} s"
    )


@test("the last try decides the reason: refused, timed out, and connect_tries is the limit")
def reasons_of_failure(t):
    refused = [named(f"r{number}", fleet.refused_address()) for number in range(5)]
    hang = [named("hang", fleet.fill_backlog(t, f"{fleet.next_host()}:0"))]
    cases = [
        (refused, {}, "connect_refused", 3),
        (refused, {"connect_tries": 5}, "connect_refused", 5),
        (refused, {"connect_tries": 1}, "connect_refused", 1),
        (refused[:2], {}, "connect_refused", 2),
        (hang, {"connect_timeout": "200ms"}, "connect_timeout", 1),
    ]
    for backends, pool, reason, tries in cases:
        penstock = t.front(backends, pool=pool)
        expect(clients.closed_unserved(penstock.address()), "closed without a byte")
        record = penstock.wait_records(1)[0]
        expect(
            record["reason"] == reason and record["tries"] == tries,
            f"{len(backends)} backends, {pool}: expected {reason} after {tries}, got {record}",
        )
        failures = total(penstock.counters(), "failed_connects")
        expect(failures == tries, f"{failures} failed connects counted, {tries} made")
        penstock.stop()


@test("a unix backend whose backlog is full is refused at once and the next one serves")
def unix_backlog_full(t):
    server = fleet.Nginx(t, "good")
    full = fleet.fill_backlog(t, f"unix:{t.dir}/full.sock")
    missing = named("missing", f"unix:{t.dir}/missing.sock")
    penstock = t.front([named("full", full), missing, server])
    source = predictor.equal(["full", "missing", "good"]).address_with_order(
        "full", "missing", "good"
    )
    start = time.monotonic()
    expect(fleet.get(penstock.address(), source) == "good", "the third backend serves")
    expect(time.monotonic() - start < pace.slow(1), "without waiting")
    counters = penstock.counters()["backends"]
    failures = {name: group["failed_connects"] for name, group in counters.items()}
    expect(
        failures == {"app/full": 1, "app/missing": 1, "app/good": 0},
        f"both failures are counted: {failures}",
    )


@test("an unreachable backend is skipped too")
def unreachable(t):
    server = fleet.Nginx(t, "good")
    # The limited broadcast address cannot be connected to over TCP: the kernel says so at once.
    penstock = t.front([named("far", "255.255.255.255:9"), server])
    source = predictor.equal(["far", "good"]).address_with_order("far", "good")
    expect(fleet.get(penstock.address(), source) == "good", "the next backend serves")


@test("a server that speaks first is heard before the client has sent a byte: plain and TLS")
def server_speaks_first(t):
    def greet(stream):
        stream.sendall(b"220 ready\r\n")
        return fleet.echo(stream)

    backend = fleet.Backend(t, greet)
    for kind in clients.KINDS:
        penstock = t.front([backend], kind)
        with clients.open_stream(kind, penstock.address(), t.shared) as stream:
            expect(stream.exactly(11) == b"220 ready\r\n", f"{kind}: the greeting")
            stream.sendall(b"EHLO")
            expect(stream.exactly(4) == b"EHLO", f"{kind}: then the dialogue")
            stream.finish()
            expect(clients.drain(stream).end == "fin", f"{kind}: then the end")


@test("a client that goes away while its backend is dialled leaves no session behind")
def client_gone(t):
    hang = fleet.fill_backlog(t, f"{fleet.next_host()}:0")
    penstock = t.front([named("hang", hang)], pool={"connect_timeout": "500ms"})
    connection = clients.connect(penstock.address())
    penstock.wait_counters(lambda seen: seen["sessions"]["active"] == 1, 5, "the session exists")
    clients.reset(connection)
    # Nothing is received while dialling, so the connect may be what ends it.
    reason = penstock.reasons(1, 2)[0]
    expect(reason in ("client_gone", "connect_timeout"), f"reason {reason}")


@test("what a backend does to a connection ends in its own reason")
def backend_behaviour(t):
    def reset_soon(stream):
        stream.exactly(1)
        stream.reset()

    def end_soon(stream):
        stream.exactly(1)
        stream.finish()
        clients.drain(stream)

    expected = [(reset_soon, "reset", "backend_reset"), (end_soon, "fin", "finished")]
    for handler, end, reason in expected:
        backend = fleet.Backend(t, handler)
        penstock = t.front([backend])
        with clients.Stream(clients.connect(penstock.address())) as stream:
            stream.sendall(b"x")
            if end == "fin":
                stream.finish()
            received = clients.drain(stream)
            expect(
                (received.size, received.end) == (0, end),
                f"{handler.__name__}: the client saw {received}",
            )
        expect(penstock.reasons(1) == [reason], f"{handler.__name__}: {penstock.records}")
