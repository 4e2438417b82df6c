#!/usr/bin/python3
"""A soak: one penstock under everything at once, for minutes or hours.

TLS and plain clients, short and long sessions, transfers whose bytes are compared, backends that
are killed and brought back, resets from both sides, slow and stalled peers, garbage, half-open
handshakes, half-closes and wrk, at a fixed rate that leaves most of two cores free. Once a minute
the load pauses for a few seconds, memory is measured and a line is printed; at the end what has
grown, what is left and whether the counters balance.

Exit 1 when anything is off, or when, in a run of at least 15 minutes, the resident memory grows by
10 KiB a minute or more between minute 5 and the end.
"""
import argparse
import pathlib
import signal
import sys
import threading
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
sys.dont_write_bytecode = True

import backends  # noqa: E402
import fleet  # noqa: E402
import judge  # noqa: E402
import load  # noqa: E402
import suite  # noqa: E402

EXAMPLES = """examples:
  scripts/soak 1                       a look at the load
  scripts/soak 30                      half an hour: long enough to judge growth
  scripts/soak 600 >soak.log           a night
  scripts/soak --binary build/asan/penstock --switches poison 20
"""
SNAPSHOT_SECONDS = 10.0
FLAP_SECONDS = 30.0
BREATH_SECONDS = 10.0  # longer than any action but the long sessions and the silent ones
TRIM_SECONDS = 2.5  # penstock gives back pages that were not used for a second
QUIET = load.LONG_SESSIONS + 3
PEAK = 200  # sessions at once in the first minute, more than the load ever has afterwards
DRAIN_SECONDS = 60.0


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("minutes", type=float, metavar="MINUTES", help="how long the load runs")
    parser.add_argument("--binary", type=lambda text: pathlib.Path(text).resolve(), required=True,
                        help="the penstock to soak; scripts/soak builds a release one")
    parser.add_argument("--switches", type=suite.switches, default={}, metavar="LIST",
                        help="of a penstock with checks: poison")
    return parser.parse_args()


def context_options(options):
    return types.SimpleNamespace(
        binary=options.binary, tier="full", scale="full", switches=options.switches, seed=1
    )


def start_penstock(context, servers, nginxes):
    tls = context.shared.tls(handshake_timeout="3s")
    secured = {"bind": ["127.0.0.1:0"], "tls": tls, "idle_timeout": "10s"}
    plain = {"bind": ["127.0.0.1:0"], "idle_timeout": "10s"}
    health = {"type": "http", "path": "/healthz", "interval": "1s", "timeout": "500ms"}
    entries = [context.entry(server) for server in servers] + [fleet.refused_address()]
    return context.penstock(
        {
            "web": plain | {"pool": "app"},
            "https": secured | {"pool": "app"},
            "plain": plain | {"pool": "py"},
            "secure": secured | {"pool": "py"},
        },
        {
            "app": {"backends": [context.entry(nginx) for nginx in nginxes], "health": health},
            "py": {"backends": entries, "hash_key": "source_ip_port", "connect_tries": 3},
        },
        {"max_connections": 2000},
        access="/dev/null",
    )


def peak(where):
    """Many sessions at once, so that pools and tables reach their size before it is measured. Each
    TLS session holds most of a record, so that OpenSSL has a buffer for each and has filled it.
    """
    streams = []
    records = []
    try:
        for number in range(PEAK):
            streams.append(where.open("tls13" if number % 2 else "plain"))
            streams[-1].sendall(backends.ECHO + b"x" * 20000)
        for stream in streams:
            stream.exactly(20000)
        for stream in streams[1::2]:
            records.append(stream.encrypt(b"x" * 16000))
            stream.socket.sendall(records[-1][:-50])
        for stream, record in zip(streams[1::2], records):
            stream.socket.sendall(record[-50:])
            stream.exactly(16000)
    finally:
        for stream in streams:
            stream.close()


def watch(penstock, where, minutes, stop):
    """One sample and one line a minute until the time is over, penstock ends or a signal comes;
    counters every ten seconds. Returns the samples.
    """
    samples = []
    began = time.monotonic()
    while not stop.is_set() and penstock.process.poll() is None:
        minute = (time.monotonic() - began) / 60
        if minute >= len(samples):
            samples.append(sample(penstock, where, minute, stop))
            print(samples[-1].line(), flush=True)
            if minute >= minutes:
                break
        penstock.counters(30)
        del penstock.snapshots[:-1]
        stop.wait(SNAPSHOT_SECONDS - (time.monotonic() - began) % SNAPSHOT_SECONDS)
    return samples


def sample(penstock, where, minute, stop):
    """Measures between two breaths: when the load pauses and what it had begun is through, so that
    only what penstock keeps is seen, and not how many transfers are under way.
    """
    before = penstock.counters(30)
    where.open_gate.clear()
    deadline = time.monotonic() + BREATH_SECONDS
    while penstock.counters(30)["sessions"]["active"] > QUIET and time.monotonic() < deadline:
        stop.wait(0.2)
    stop.wait(TRIM_SECONDS)
    taken = judge.Sample(minute, penstock.rss() // 1024, penstock.descriptors(), before)
    where.open_gate.set()
    return taken


def end_load(workers, where, flapping_thread):
    """Tells the workers to end, waits for them, and returns what they complain of."""
    where.stop.set()
    complaints = []
    flapping_thread.join(DRAIN_SECONDS)
    for worker in workers:
        if not worker.join(DRAIN_SECONDS):
            complaints.append(f"{worker.name} did not end")
        complaints += worker.wrong[:3]
        if worker.done == 0:
            complaints.append(f"{worker.name} never went well")
    return complaints


def end_penstock(penstock):
    """Waits until nothing is active, then holds it to the promises of every run. Returns what is
    wrong, and the descriptors that were left.
    """
    complaints = []
    left = None
    try:
        penstock.wait_counters(
            lambda seen: seen["sessions"]["active"] == 0, DRAIN_SECONDS, "the last session ends"
        )
        left = penstock.descriptors()
        penstock.verify()
    except AssertionError as error:
        complaints.append(str(error))
    if penstock.snapshots:
        complaints += judge.complaints_of_counters(penstock.snapshots[-1])
    return complaints, left


def report(samples, penstock, workers, flapping, complaints, minutes, left):
    slope = judge.rss_slope(samples)
    if minutes >= judge.JUDGED_FROM and slope >= judge.SLOPE_LIMIT:
        complaints.append(f"RSS grows by {slope:.1f} KiB a minute")
    for name in dict.fromkeys(worker.name for worker in workers):
        same = [worker for worker in workers if worker.name == name]
        print(f"  {name}: {sum(worker.done for worker in same)} done, "
              f"{sum(worker.broken_off for worker in same)} broken off")
    last = penstock.snapshots[-1] if penstock.snapshots else samples[-1].counters
    sessions = last["sessions"]
    print(f"backends killed and brought back: {flapping.kills}")
    print(f"rss slope from minute {judge.SLOPE_FROM:.0f}: {slope:.2f} KiB a minute "
          f"({samples[0].rss} KiB at first, {samples[-1].rss} at last)")
    print(f"descriptors: {penstock.baseline} at start, {left} at the end")
    print(f"counters: accepted {sessions['accepted']}, closed {sum(sessions['closed'].values())}, "
          f"active {sessions['active']}; faults {last['faults']}")
    print("buffers: penstock asserts at its end that all have been given back")
    for complaint in complaints:
        print(f"WRONG: {complaint}")
    print("soak: failed" if complaints else "soak: everything holds", flush=True)


def main():
    options = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with fleet.Shared() as shared:
        context = suite.Context(context_options(options), shared)
        try:
            return run(context, options.minutes, stop)
        finally:
            context.close()


def run(context, minutes, stop):
    servers = [backends.Server(context, name) for name in ("x", "y")]
    nginxes = fleet.nginx_fleet(context)
    penstock = start_penstock(context, servers, nginxes)
    where = load.Load(context, penstock, threading.Event())
    peak(where)
    workers = load.start(where)
    flapping = backends.Flapping(context, servers, nginxes, FLAP_SECONDS, where.stop)
    flapping_thread = threading.Thread(target=flapping.run, daemon=True)
    flapping_thread.start()
    samples = watch(penstock, where, minutes, stop)
    complaints = end_load(workers, where, flapping_thread)
    wrong, left = end_penstock(penstock)
    complaints += wrong
    report(samples, penstock, workers, flapping, complaints, minutes, left)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
