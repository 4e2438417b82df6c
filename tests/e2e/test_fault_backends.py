"""Backends that misbehave (cases 26, 28, 29, 40 and 48 of tests/FAULTS.md): each kind ends in its
own reason, nothing that was sent is sent again, and what is dead costs no CPU.
"""
import time

import clients
import fleet
import predictor
from adversary import Adversary
from namespace import Namespace
from suite import expect, test, until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def reset_at_once(peer):
    peer.reset()


def end_at_once(peer):
    peer.half_close()
    return (yield from peer.until_end())


def reset_in_body(peer):
    yield from peer.receive(4)
    yield from peer.send(b"half of the answer")
    yield from peer.receive(4)  # the client has it
    peer.reset()


def never_read(peer):
    yield from peer.hold(60)


def deaf(peer):
    yield from peer.receive(4)
    peer.go_deaf()
    yield from peer.hold(60)


def garbage(peer):
    yield from peer.receive(4)
    yield from peer.send(bytes(range(256)) * 64)
    peer.half_close()
    yield from peer.until_end()


def polite_client(address):
    """Asks, reads all, ends its own direction; returns how it ended."""

    def script(peer):
        try:
            yield from peer.connect(address)
            yield from peer.send(b"ping")
            received = yield from peer.until_end()
        except (ConnectionResetError, BrokenPipeError):
            return 0, "reset"  # before the script got to its end
        return received.size, received.end

    return script


def waiting_client(address):
    """Reads half an answer, says so, and reads on."""

    def script(peer):
        yield from peer.connect(address)
        yield from peer.send(b"ping")
        first = yield from peer.receive(18)
        yield from peer.send(b"more")
        received = yield from peer.until_end()
        return len(first) + received.size, received.end

    return script


def sending_client(address):
    """Sends more than anybody takes, until the connection ends."""

    def script(peer):
        yield from peer.connect(address)
        try:
            yield from peer.send(b"ping")
            for _ in range(64):
                yield from peer.send(bytes(1 << 20))
        except (ConnectionResetError, BrokenPipeError):
            return 0, "reset"
        return 0, "taken"

    return script


# name: what the backend does, what the client does, the listener's settings, reasons, what the
# client sees. A reset at once may come before the connect is seen to have succeeded.
BEHAVIOURS = {
    "resets": (
        reset_at_once,
        polite_client,
        {},
        {"backend_reset", "connect_refused"},
        (0, "reset"),
    ),
    "ends": (end_at_once, polite_client, {}, {"finished"}, (0, "fin")),
    "breaks": (reset_in_body, waiting_client, {}, {"backend_reset"}, (18, "reset")),
    "stalls": (
        never_read,
        sending_client,
        {"idle_timeout": "1s", "user_timeout": "0s"},
        {"idle_timeout"},
        (0, "reset"),
    ),
    "stalls-long": (
        never_read,
        sending_client,
        {"user_timeout": "1s"},
        {"backend_timeout"},
        (0, "reset"),
    ),
    "deaf": (deaf, sending_client, {"user_timeout": "1s"}, {"backend_timeout"}, (0, "reset")),
    "babbles": (garbage, polite_client, {}, {"finished"}, (16384, "fin")),
}


@test(
    "backends that reset, end, break off, stall, go deaf or babble end in their own reasons",
    limit=30,
)
def own_reasons(t):
    adversary = Adversary(t)
    listeners, pools = {}, {}
    for name, (script, _, settings, _, _) in BEHAVIOURS.items():
        server = adversary.server(script, name, receive_buffer=4096, expected=(OSError, EOFError))
        listeners[name] = {"bind": ["127.0.0.1:0"], "pool": name} | settings
        pools[name] = {"backends": [t.entry(server)]}
    penstock = t.penstock(listeners, pools)
    peers = adversary.clients(
        client(penstock.address(name)) for name, (_, client, _, _, _) in BEHAVIOURS.items()
    )
    seen = dict(zip(BEHAVIOURS, adversary.outcomes(peers)))
    reasons = {
        record["listener"]: record["reason"] for record in penstock.wait_records(len(peers))
    }
    for name, (_, _, _, expected, end) in BEHAVIOURS.items():
        expect(reasons[name] in expected, f"{name}: {reasons[name]}, not {expected}")
        expect(seen[name] == end, f"{name}: the client saw {seen[name]}, not {end}")


@test("once a byte was sent to a backend that then resets, no other backend is dialled")
def no_replay(t):
    adversary = Adversary(t)

    def read_and_reset(peer):
        yield from peer.receive(4)
        peer.reset()

    first = adversary.server(read_and_reset, "first")
    second = adversary.server(lambda peer: peer.echo(), "second")
    penstock = t.front([first, second])
    source = predictor.equal(["first", "second"]).address_with_order("first", "second")

    def script(peer):
        yield from peer.connect(penstock.address(), source)
        yield from peer.send(b"ping")
        return (yield from peer.until_end()).end

    expect(adversary.outcomes([adversary.client(script)]) == ["reset"], "the client is told")
    record = penstock.wait_records(1)[0]
    expect((record["reason"], record["tries"]) == ("backend_reset", 1), f"{record}")
    expect(second.accepted == 0, "the second backend never saw the bytes")


@test("when all backends are down, clients are closed at once and the process is idle")
def all_down_is_idle(t):
    health = {"type": "tcp", "interval": "500ms", "timeout": "400ms", "fall": 1}
    backends = [{"name": name, "address": fleet.refused_address()} for name in "abc"]
    penstock = t.front(backends, pool={"health": health})
    for name in "abc":
        penstock.wait_log(f"^app/{name} down: ")
    start = time.monotonic()
    for _ in range(20):
        expect(clients.closed_unserved(penstock.address()), "closed without a byte")
    expect(time.monotonic() - start < 2, "at once")
    expect(set(penstock.reasons(20)) == {"no_backend"}, f"{penstock.records}")
    expect_idle(penstock, 2)


def expect_idle(penstock, seconds):
    """Less than 5 % of a CPU."""
    before = penstock.cpu_seconds()
    time.sleep(seconds)  # the time over which the CPU use is measured
    used = penstock.cpu_seconds() - before
    expect(used < 0.05 * seconds, f"{used:.2f} s of CPU in {seconds} s")


PORTS = 20


@test("without a free local port to one backend the next is dialled, and others do not notice")
def ports_exhausted(t):
    namespace = Namespace(t)
    adversary = Adversary(t, namespace)
    hold = adversary.gate()

    def server(peer):
        return peer.echo()

    first, second, third = (
        adversary.server(server, name, expected=(OSError,)) for name in ("a", "b", "c")
    )
    # Shrunk now: no port of these servers is in the range, which would make it unusable.
    namespace.set("ip_local_port_range", f"20000 {20000 + PORTS - 1}")
    address = "127.0.0.1:9090"
    alone = "127.0.0.1:9091"
    other = "127.0.0.1:9092"
    penstock = t.penstock(
        {
            "web": {"bind": [address], "pool": "app"},
            "alone": {"bind": [alone], "pool": "alone"},
            "other": {"bind": [other], "pool": "other"},
        },
        {
            "app": {"backends": [t.entry(first), t.entry(second)], "hash_key": "source_ip"},
            "alone": {"backends": [t.entry(first)]},
            "other": {"backends": [t.entry(third)]},
        },
        wrapper=namespace.wrapper,
    )
    table = predictor.equal(["a", "b"])
    sources = [f"127.0.20.{number}" for number in range(1, 200)]
    sources = [source for source in sources if table.order(source)[0] == "a"][: PORTS + 5]

    def held(source):
        def script(peer):
            yield from peer.connect(address, source)
            yield from peer.send(b"ping")
            yield from peer.receive(4)
            yield from peer.hold_until(hold)
            peer.reset()

        return script

    def short(to):
        def script(peer):
            try:
                yield from peer.connect(to, "127.0.21.1")
                yield from peer.send(b"ping")
                peer.half_close()
                return (yield from peer.until_end()).size
            except OSError:
                return 0  # reset before the script got to its end

        return script

    holders = adversary.clients(held(source) for source in sources)
    until(lambda: all(peer.received == 4 for peer in holders), 10, "all are served")
    backends = penstock.counters()["backends"]
    expect(backends["app/a"]["active"] == PORTS, f"every port to a is in use: {backends}")
    expect(backends["app/a"]["failed_connects"] == 5, f"and the failures are counted: {backends}")
    expect(backends["app/b"]["active"] == 5, f"b has the others: {backends}")
    expect(adversary.outcomes([adversary.client(short(other))]) == [4], "c does not notice")
    expect(adversary.outcomes([adversary.client(short(alone))]) == [0], "closed unserved")
    reasons = {record["listener"]: record["reason"] for record in penstock.wait_records(2)}
    expect(reasons == {"other": "finished", "alone": "connect_failed"}, f"{reasons}")
    hold.open()
    adversary.outcomes(holders)
    penstock.wait_counters(lambda seen: seen["sessions"]["active"] == 0, 5, "all have ended")
    expect(adversary.outcomes([adversary.client(short(alone))]) == [4], "and recovers")


class Probed:
    """A backend whose answers to health checks come from a generator function of the peer."""

    def __init__(self, adversary, name, answer):
        self.probes = 0
        self._answer = answer
        self.server = adversary.server(
            self._serve, name, expected=(OSError, EOFError, TimeoutError)
        )

    def _serve(self, peer):
        first = yield from peer.receive(4)
        if first != b"GET ":
            yield from peer.send(first)
            return (yield from peer.echo())
        self.probes += 1
        return (yield from self._answer(self, peer))


def healthy(_, peer):
    yield from peer.send(ANSWER)
    yield from peer.until_end()


def healthy_late(_, peer):
    yield from peer.hold(0.1)
    yield from healthy(_, peer)


def healthy_drop_by_drop(_, peer):
    yield from peer.send(ANSWER, piece=4, pause=0.005)
    yield from peer.until_end()


def flapping(probed, peer):
    status = b"200 OK" if probed.probes % 2 else b"503 No"
    yield from peer.send(ANSWER.replace(b"200 OK", status))
    yield from peer.until_end()


def too_slow(_, peer):
    yield from peer.hold(3)
    yield from peer.send(ANSWER)


def half_an_answer(_, peer):
    yield from peer.send(b"HTTP/1.1 20")


def half_and_silence(_, peer):
    yield from peer.send(b"HTTP/1.1 20")
    yield from peer.hold(3)


def accept_and_hang(_, peer):
    yield from peer.hold(3)


def reset_probe(_, peer):
    peer.reset()
    yield from ()


def wrong_banner(_, peer):
    yield from peer.send(b"220 mail.test ESMTP\r\n")
    yield from peer.until_end()


ALIVE = [healthy, healthy_late, healthy_drop_by_drop, flapping]
DEAD = {
    too_slow: "no answer within",
    half_an_answer: "",
    half_and_silence: "no answer within",
    accept_and_hang: "no answer within",
    reset_probe: "",
    wrong_banner: "",
}


@test("health checks see through slow, half, hanging, resetting and wrong answers, and flapping")
def health_faults(t):
    adversary = Adversary(t)
    probed = {
        answer: Probed(adversary, answer.__name__, answer) for answer in [*ALIVE, *DEAD]
    }
    health = {"type": "http", "interval": "100ms", "timeout": "1s", "rise": 2, "fall": 2}
    penstock = t.front(
        [each.server for each in probed.values()],
        pool={"health": health, "hash_key": "source_ip_port"},
    )
    for answer, evidence in DEAD.items():
        line = penstock.wait_log(f"^app/{answer.__name__} down: ", 10)
        expect(evidence in line and "2 of 2" in line, f"{line} tells of {evidence}")
    until(lambda: probed[flapping].probes > 10, 10, "ten probes of the one that flaps")
    fallen = [text for text in penstock.texts() if " down: " in text]
    expect(len(fallen) == len(DEAD), f"these and no others are down: {fallen}")

    def visit(peer):
        yield from peer.connect(penstock.address())
        yield from peer.send(b"ping")
        yield from peer.receive(4)
        peer.half_close()
        return (yield from peer.until_end()).end

    adversary.outcomes(adversary.clients([visit] * 50))
    backends = {record["backend"] for record in penstock.wait_records(50)}
    expect(backends <= {f"app/{answer.__name__}" for answer in ALIVE}, f"reached: {backends}")
