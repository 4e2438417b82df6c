"""What happens to the process itself: killed and started again under load, counters that are read
while they change, a huge configuration, clocks (cases 37, 45, 47 and 50 of tests/FAULTS.md).
"""
import pathlib
import re
import signal
import time

import fleet
import predictor
from adversary import Adversary, visit
from namespace import Namespace
from suite import expect, test, until
from test_cli import call, listener_config

ROOT = pathlib.Path(__file__).resolve().parents[2]


def echo(peer):
    return peer.echo()


class Load:
    """Clients that visit again and again, a few at a time; every visit is kept."""

    def __init__(self, adversary, address, width):
        self.visits = []  # (begun, ended, outcome: True or the exception)
        self.stopping = False
        self._address = address
        self._adversary = adversary
        self._workers = adversary.clients([self._work] * width)

    def _work(self, peer):
        while not self.stopping:
            begun = time.monotonic()
            client = self._adversary.client(visit(self._address))
            while not client.done:
                yield from peer.hold(0.002)
            outcome = client.outcome == b"ping" or client.outcome
            self.visits.append((begun, time.monotonic(), outcome))
            if outcome is not True:
                yield from peer.hold(0.01)

    def finish(self):
        self.stopping = True
        self._adversary.outcomes(self._workers)
        return list(self.visits)


@test("killed with -9 under load and started again, it serves on the same port at once", limit=40)
def kill_and_restart(t):
    adversary = Adversary(t)
    backend = adversary.server(echo, expected=(OSError,))
    with fleet.listen("127.0.0.1:0") as probe:
        address = fleet.address_of(probe)
    listener = {"bind": [address, f"unix:{t.dir}/web.sock"]}
    first = t.front([backend], listener=listener)
    go = adversary.gate()

    def held(peer):
        yield from peer.connect(address)
        yield from peer.send(b"ping")
        yield from peer.receive(4)
        yield from peer.hold_until(go)
        return (yield from peer.until_end()).end

    holders = adversary.clients([held] * 50)
    until(lambda: all(peer.received == 4 for peer in holders), 10, "50 sessions stand")
    load = Load(adversary, address, 20)
    until(lambda: len(load.visits) > 200, 20, "200 visits before the kill")
    killing = time.monotonic()
    first.process.send_signal(signal.SIGKILL)
    first.wait_exit(-signal.SIGKILL, 5)
    first.baseline = None  # it could not print its counters
    second = t.front([backend], listener=listener)
    ready = time.monotonic()
    go.open()
    expect(set(adversary.outcomes(holders)) <= {"reset", "fin"}, "the killed one's sessions ended")
    until(lambda: load.visits[-1][0] > ready + 0.5, 20, "visits for a while after the restart")
    visits = load.finish()
    lost = [each for each in visits if each[2] is not True]
    expect(all(each[0] < ready and each[1] > killing - 0.1 for each in lost), f"lost: {lost[-3:]}")
    t.say(f"served again {ready - killing:.2f} s after the kill; {len(lost)} visits lost")
    expect(ready - killing < (30 if t.small else 5), "and that was soon")
    second.wait_counters(
        lambda seen: seen["sessions"]["active"] == 0, 5, "the second has no session left"
    )


SNAPSHOTS = 100


@test("counters read under churn add up in every snapshot, and never run backwards", limit=40)
def counters_under_churn(t):
    adversary = Adversary(t)
    backends = [adversary.server(echo, name, expected=(OSError,)) for name in ("a", "b")]
    listeners = {
        name: {"bind": ["127.0.0.1:0"], "pool": "app"} for name in ("one", "two")
    }
    pool = {"backends": [t.entry(each) for each in backends], "hash_key": "source_ip_port"}
    penstock = t.penstock(listeners, {"app": pool})
    loads = [Load(adversary, penstock.address(name), 20) for name in listeners]
    until(lambda: all(load.visits for load in loads), 10, "both listeners are visited")
    snapshots = [penstock.counters()]
    wanted = t.count(SNAPSHOTS)

    def moved():
        return snapshots[-1]["sessions"]["accepted"] - snapshots[0]["sessions"]["accepted"]

    def enough():
        snapshots.append(penstock.counters())
        return len(snapshots) > wanted and moved() > 2 * wanted

    until(enough, 30, f"{wanted} snapshots and twice as many sessions", 0)
    lost = [each for load in loads for each in load.finish() if each[2] is not True]
    expect(not lost, f"every visit succeeds: {lost[:3]}")
    shards = penstock.config["process"]["shards"]
    for before, after in zip(snapshots, snapshots[1:]):
        for name in listeners:
            check_group(before["listeners"][name], after["listeners"][name], shards, name)
        check_group(before["sessions"], after["sessions"], 2 * shards, "sessions")
        for name, group in before["backends"].items():
            for key in ("connections", "failed_connects", "bytes_in", "bytes_out"):
                expect(group[key] <= after["backends"][name][key], f"{name} {key} runs backwards")
        for key in ("accepted", "active"):
            total = sum(before["listeners"][name][key] for name in listeners)
            expect(total == before["sessions"][key], f"{key} is the sum of the listeners")
    t.say(f"{len(snapshots)} snapshots while {moved()} sessions came")


def check_group(before, after, slack, name):
    """accepted is read first, then active, then closed, and a session moves from one to the next;
    each shard may be between two of them.
    """
    known = before["active"] + sum(before["closed"].values())
    expect(before["accepted"] <= known + slack, f"{name}: more accepted than known: {before}")
    expect(known <= after["accepted"] + slack, f"{name}: {before}, then {after}")
    expect(before["accepted"] <= after["accepted"], f"{name}: accepted runs backwards")
    for reason, count in before["closed"].items():
        expect(count <= after["closed"].get(reason, 0), f"{name}: {reason} runs backwards")


MANY = 10000


@test("10,000 backends are loaded and hashed quickly, and each client reaches its own", limit=60)
def many_backends(t):
    adversary = Adversary(t)
    reached = []

    def serve(peer):
        reached.append(peer.socket.getsockname()[0])
        return peer.echo()

    # One socket answers on every loopback address, and tells which was dialled.
    server = adversary.server(serve, address="0.0.0.0:0")
    port = server.address.rsplit(":", 1)[1]
    hosts = [f"127.3.{number // 250}.{number % 250 + 1}" for number in range(MANY)]
    names = [f"{host}:{port}" for host in hosts]
    start = time.monotonic()
    penstock = t.front(names)
    seconds = time.monotonic() - start
    expect(seconds < (40 if t.small else 10), f"ready after {seconds:.1f} s")
    table = predictor.equal(names)
    sources = [f"127.0.30.{number}" for number in range(1, 51)]
    start = time.monotonic()
    adversary.outcomes(adversary.clients(visit(penstock.address(), each) for each in sources))
    visiting = time.monotonic() - start
    expect(visiting < 10, f"50 visits took {visiting:.1f} s")
    expected = {table.pick(source).rsplit(":", 1)[0] for source in sources}
    expect(set(reached) == expected, f"reached {sorted(set(reached) ^ expected)[:4]}")
    t.say(f"ready with {MANY} backends in {seconds:.2f} s")


@test("the wall clock is asked for log lines and certificates only, so its jumps move no timer")
def wall_clock(t):
    asks = re.compile(r"system_clock::now|CLOCK_REALTIME|gettimeofday|\btime\((nullptr|NULL|0)\)")
    found = [
        str(path.relative_to(ROOT))
        for folder in ("src", "include")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".cpp", ".h") and asks.search(path.read_text())
    ]
    expect(found == ["src/base/log.cpp"], f"these files ask it: {found}")
    uses = re.compile(r"wall_clock\(\)")
    users = {
        path.name
        for path in sorted((ROOT / "src").rglob("*.cpp"))
        if uses.search(path.read_text())
    }
    penstock = {"log.cpp", "access_log.cpp", "demo.cpp",
                "tls_certificates.cpp", "tls_clients.cpp", "supervisor_tls.cpp"}
    load_tool = {"run_options.cpp",  # when a run began
                 # And the dates of certificates.
                 "run_command_tls.cpp", "serve_command.cpp", "selftest_counters.cpp",
                 "selftest_peers.cpp", "calibrate.cpp"}
    expect(users <= penstock | load_tool, f"these use it: {users}")


@test("a port that needs a capability is refused with a sentence when there is none")
def privileged_port(t):
    namespace = Namespace(t)  # whose first unprivileged port is the kernel's default, 1024
    config = listener_config(t, address="127.0.0.1:80", process={"shards": 1, "pin": False})
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    result = call(t, "run", "--config", config, wrapper=[*namespace.wrapper, *without])
    expect(result.returncode == 1, f"{result}")
    expect("127.0.0.1:80" in result.stderr, f"it names the address: {result}")
    expect("CAP_NET_BIND_SERVICE" in result.stderr, f"and what to do: {result}")
