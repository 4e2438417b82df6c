"""What penstock tells about itself: counters on SIGUSR2 and at the end, the access log, the
lines at start.
"""
import json
import re

import clients
import fleet
from suite import expect, test


@test("SIGUSR2 prints counters in which listeners and backends add up to the process")
def counters_add_up(t):
    backends = [fleet.Backend(t, fleet.echo, name) for name in ("a", "b")]
    listeners = {
        "one": {"bind": ["127.0.0.1:0"], "pool": "app"},
        "two": {"bind": ["127.0.0.1:0"], "pool": "app"},
    }
    pool = {"backends": [t.entry(backend) for backend in backends], "hash_key": "source_ip_port"}
    penstock = t.penstock(listeners, {"app": pool})
    for listener, count in (("one", 7), ("two", 5)):
        for number in range(count):
            with clients.Stream(clients.connect(penstock.address(listener))) as stream:
                stream.sendall(b"x" * (100 + number))
                stream.finish()
                expect(clients.drain(stream).size == 100 + number, "the echo")
    held = clients.Stream(clients.connect(penstock.address("one")))
    t.defer(held.close)
    held.sendall(b"held")
    expect(held.exactly(4) == b"held", "one session stays")
    seen = penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == 1, 5, "one active session"
    )
    expect(seen["sessions"]["accepted"] == 13, f"{seen['sessions']}")
    expect(seen["sessions"]["closed"] == {"finished": 12}, f"{seen['sessions']}")
    expect(
        seen["listeners"]["one"]["accepted"] == 8 and seen["listeners"]["two"]["accepted"] == 5,
        f"{seen}",
    )
    expect(sum(group["active"] for group in seen["backends"].values()) == 1, f"{seen['backends']}")
    held.finish()
    expect(clients.drain(held).end == "fin", "the held session ends")
    penstock.stop()
    final = penstock.snapshots[-1]
    expect(
        final["sessions"]["closed"] == {"finished": 13},
        f"the end prints them again: {final['sessions']}",
    )
    bytes_sent = sum(100 + number for count in (7, 5) for number in range(count)) + 4
    for key, expected in (("connections", 13), ("bytes_in", bytes_sent), ("bytes_out", bytes_sent)):
        total = sum(group[key] for group in final["backends"].values())
        expect(total == expected, f"{key} add up to {total}, not {expected}: {final['backends']}")


@test("the access log has one record per session with client, backend, bytes, reason and times")
def access_log(t):
    backend = fleet.Backend(t, fleet.echo)
    path = t.dir / "access.log"
    tls = t.front([backend], "tls13")
    filed = t.front([backend], access=str(path))
    for kind, penstock in (("tls13", tls), ("plain", filed)):
        with clients.open_stream(kind, penstock.address(), t.shared, source="127.0.5.5") as stream:
            port = stream.socket.getsockname()[1]
            stream.sendall(b"12345")
            expect(stream.exactly(5) == b"12345", "the echo")
            stream.finish()
            clients.drain(stream)
        if kind == "plain":
            filed.stop()
            records = [json.loads(line) for line in path.read_text().splitlines()]
        else:
            records = tls.wait_records(1)
        expect(len(records) == 1, f"{kind}: one record: {records}")
        check_record(records[0], f"127.0.5.5:{port}", kind == "tls13")


def check_record(record, client, tls):
    expected = {
        "client": client,
        "listener": "web",
        "backend": "app/py",
        "reason": "finished",
        "termination": "--",
        "bytes_in": 5,
        "bytes_out": 5,
        "tries": 1,
        "tls": tls,
    }
    different = {
        key: record.get(key) for key, value in expected.items() if record.get(key) != value
    }
    expect(not different, f"these fields differ: {different} in {record}")
    expect(
        0 <= record["connect_ms"] <= record["duration_ms"] < 10000,
        f"the times are plausible: {record}",
    )


@test("without log.access nothing but the final counters is printed on stdout")
def silent_by_default(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], access="off")
    with clients.Stream(clients.connect(penstock.address())) as stream:
        stream.sendall(b"x")
        expect(stream.exactly(1) == b"x", "the echo")
    penstock.stop()
    expect(
        not penstock.records and len(penstock.snapshots) == 1,
        f"{penstock.records} {len(penstock.snapshots)}",
    )


@test(
    "the log tells the io_uring tier, the addresses, how many connections fit and that it is ready"
)
def lines_at_start(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    tier = penstock.wait_log(r"^io_uring: tier ")
    expect(penstock.wait_log(r"^ready: 2 shards, 1 listeners?$"), "the ready line")
    for name in penstock.config["process"]["io_disable"]:
        expect(name in tier, f"{name} is named as switched off: {tier}")
    expected = {"full": "defer_taskrun", "coop": "coop_taskrun"}.get(t.tier)
    expect(expected is None or f"tier {expected}" in tier, f"the tier of this run: {tier}")
    penstock.wait_log(r"\d+ connections")


@test("the log file's lines carry a UTC time in milliseconds and a level")
def line_format(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend])
    pattern = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) \S")
    odd = [line for line in penstock.log_lines if not pattern.match(line)]
    expect(not odd, f"these lines have another form: {odd[:3]}")
