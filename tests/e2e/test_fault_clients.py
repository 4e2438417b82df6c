"""Clients that stall, drip, go deaf or send out of band, by the thousand (cases 20, 34 to 37 and
41 of tests/FAULTS.md): they end by their own deadline and others are served all the while.
"""
import signal
import socket
import statistics
import time

import clients
from adversary import Adversary, raise_descriptor_limit
from clients import Payload
from namespace import Namespace
from suite import expect, test, until
from test_fault_backends import expect_idle
from test_tls import client_hello

SOURCES = [f"127.0.{60 + number // 200}.{1 + number % 200}" for number in range(1000)]


def echo(peer):
    return peer.echo()


def visit(address, source=None, context=None):
    """A short, polite session; returns its seconds."""

    def script(peer):
        start = time.monotonic()
        yield from peer.connect(address, source)
        if context is not None:
            yield from peer.handshake(context)
            yield from peer.send(peer.encrypted(b"ping"))
            yield from peer.receive(1)
            peer.reset()
            return time.monotonic() - start
        yield from peer.send(b"ping")
        yield from peer.receive(4)
        peer.half_close()
        yield from peer.until_end()
        return time.monotonic() - start

    return script


def expect_prompt(t, adversary, script, count=20):
    """Visits one after the other; half of them take less than half a second."""
    seconds = [adversary.outcomes([adversary.client(script)])[0] for _ in range(count)]
    limit = 2.5 if t.small else 0.5
    expect(statistics.median(seconds) < limit, f"others wait: {sorted(seconds)}")
    return max(seconds)


def cpu_of(penstock, function):
    """The CPU seconds that penstock uses while the function runs."""
    before = penstock.cpu_seconds()
    function()
    return penstock.cpu_seconds() - before


@test(
    "10,000 half-open TLS handshakes, as many as fit, do not hold up others or cost CPU",
    limit=60,
    tiers=("full",),
)
def half_open_storm(t):
    adversary = Adversary(t)
    backend = adversary.server(echo, expected=(OSError,))
    deadline = 20 if t.small else 10
    penstock = t.front([backend], "tls", listener={"handshake_timeout": f"{deadline}s"})
    fit = int(penstock.wait_log(r"^capacity: \d+ ").split()[1])
    count = min(t.count(10000), fit - 100, raise_descriptor_limit() - 500)
    hello = client_hello(t)
    firsts = [b"", hello[:5], hello[: len(hello) // 2], hello]

    def stall(number):
        def script(peer):
            yield from peer.connect(penstock.address(), SOURCES[number % len(SOURCES)])
            yield from peer.send(firsts[number % len(firsts)])
            # What the server sends is not read, so it may end with a reset.
            yield from peer.until_end(within=3 * deadline)

        return script

    silent = adversary.clients(stall(number) for number in range(count))
    penstock.wait_counters(
        lambda seen: seen["sessions"]["accepted"] == count, 30, f"{count} have connected"
    )
    active = penstock.counters()["sessions"]["active"]
    context = t.shared.client_context("tls13")
    slowest = expect_prompt(t, adversary, visit(penstock.address(), context=context))
    waiting = cpu_of(penstock, lambda: time.sleep(1))  # the time over which the use is measured
    all_wait = "handshake_timeout" not in penstock.counters()["sessions"]["closed"]
    ending = cpu_of(penstock, lambda: adversary.outcomes(silent, 3 * deadline))
    t.say(
        f"{active} half-open handshakes at once; the slowest of 20 others took {slowest:.2f} s; "
        f"CPU {waiting:.2f} s in a second of waiting, {ending:.2f} s for all to end"
    )
    # A slow machine takes so long to connect them that the first have met their deadline.
    expect(active > count // 2, f"{active} of {count} were open at once")
    if not t.small:
        expect(waiting < 0.05 or not all_wait, f"{waiting:.2f} s of CPU in a second of waiting")
        expect(ending < count * 0.0001, f"{ending:.2f} s of CPU for the end of {count} sessions")
    penstock.wait_counters(
        lambda seen: seen["sessions"]["closed"].get("handshake_timeout") == count,
        5,
        "all ended by handshake_timeout",
    )


@test(
    "1000 readers with a closed window cost little, others are served, and all end or recover",
    limit=60,
    tiers=("full",),
)
def zero_windows(t):
    count = t.count(1000)
    payload = Payload(256 << 10)
    data = b"".join(map(bytes, payload.pieces()))
    namespace = Namespace(t)
    # Small buffers in the kernel, so that 256 KiB fill them all and penstock is what has to hold.
    namespace.set("tcp_wmem", "4096 16384 32768")
    namespace.set("tcp_rmem", "4096 32768 32768")
    adversary = Adversary(t, namespace)
    reading = adversary.gate()

    def serve(peer):
        command = yield from peer.receive(1)
        if command == b"p":
            yield from peer.send(command)
            return (yield from peer.echo())
        yield from peer.send(data, within=60)
        return (yield from peer.until_end(within=60)).end

    backend = adversary.server(serve, expected=(OSError,))
    idle = 30 if t.small else 8
    penstock = t.front(
        [backend],
        listener={"idle_timeout": f"{idle}s", "user_timeout": "0s"},
        wrapper=namespace.wrapper,
    )

    def stall(number):
        def script(peer):
            yield from peer.connect(
                penstock.address(), SOURCES[number % len(SOURCES)], receive_buffer=2048
            )
            yield from peer.send(b"s")
            if number % 2:
                yield from peer.hold(3 * idle)  # reads nothing; is cut meanwhile
                return (yield from peer.until_end()).end
            yield from peer.hold_until(reading)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            peer.half_close()
            return (yield from peer.until_end(within=60))

        return script

    before = penstock.rss()
    peers = adversary.clients(stall(number) for number in range(count))
    penstock.wait_counters(
        lambda seen: seen["backends"]["app/py"]["connections"] == count, 30, "all are connected"
    )
    slowest = expect_prompt(t, adversary, visit(penstock.address()))
    growth = (penstock.rss() - before) // count
    expect(not any(peer.done for peer in backend.peers[:10]), "their backends are held back")
    reading.open()
    ends = adversary.outcomes(peers[::2], 30)
    expect(all(end.end == "fin" and end.digest == payload.digest for end in ends), "all is intact")
    t.say(
        f"{count} stalled readers: RSS {growth / 1024:.1f} KiB more for each; "
        f"the slowest of 20 others took {slowest:.2f} s"
    )
    if not t.small:
        expect(growth < 64 << 10, f"{growth} bytes of memory for each stalled reader")
    penstock.wait_counters(
        lambda seen: seen["sessions"]["closed"].get("idle_timeout") == count // 2,
        3 * idle,
        "those who never read are cut",
    )


SLOW = 25  # of each kind


@test(
    "slow clients of every kind end by their own deadline, and others are served promptly", limit=40
)
def slowloris(t):
    adversary = Adversary(t)
    backend = adversary.server(echo, expected=(OSError, EOFError))
    dripping = adversary.server(drip, "drip", expected=(OSError,))
    limits = {"idle_timeout": "2s"}
    secure = {"tls": t.shared.tls(), "handshake_timeout": "2s"}
    listeners = {
        "web": {"bind": ["127.0.0.1:0"], "pool": "app"} | limits,
        "tls": {"bind": ["127.0.0.1:0"], "pool": "app"} | limits | secure,
        "drip": {"bind": ["127.0.0.1:0"], "pool": "drip"} | limits,
    }
    pools = {"app": {"backends": [t.entry(backend)]}, "drip": {"backends": [t.entry(dripping)]}}
    penstock = t.penstock(listeners, pools)
    plain, secured = penstock.address("web"), penstock.address("tls")
    context = t.shared.client_context("tls13")
    hello = client_hello(t)
    record = bytes([23, 3, 3, 1, 0]) + bytes(100)  # less than it says
    kinds = {
        "no byte": (slow(plain), "idle_timeout"),
        "one byte and silence": (slow(plain, b"x"), "idle_timeout"),
        "a byte now and then": (slow(plain, b"x" * 12, pause=0.3, polite=True), "finished"),
        "no hello": (slow(secured), "handshake_timeout"),
        "a record header": (slow(secured, hello[:5]), "handshake_timeout"),
        "half a hello": (slow(secured, hello[:100]), "handshake_timeout"),
        "a hello byte by byte": (slow(secured, hello[:100], pause=0.1), "handshake_timeout"),
        "a hello and silence": (slow(secured, hello), "handshake_timeout"),
        "a handshake and silence": (slow(secured, context=context), "idle_timeout"),
        "half a record": (slow(secured, record, context=context), "idle_timeout"),
        "a backend that drips": (slow(penstock.address("drip"), b"x", polite=True), "finished"),
    }
    expected = {}
    for script, reason in kinds.values():
        expected[reason] = expected.get(reason, 0) + SLOW
    peers = adversary.clients(script for script, _ in kinds.values() for _ in range(SLOW))
    expect_prompt(t, adversary, visit(plain), 10)
    expect_prompt(t, adversary, visit(secured, context=context), 5)
    expected["finished"] += 10
    expected["client_reset"] = 5
    adversary.outcomes(peers, 30)
    penstock.wait_counters(
        lambda seen: seen["sessions"]["closed"] == expected, 5, f"these reasons: {expected}"
    )


def drip(peer):
    """A backend that sends a byte now and then, for longer than idle_timeout."""
    yield from peer.send(b"y" * 12, pause=0.3, piece=1)
    peer.half_close()
    yield from peer.until_end()


def slow(address, first=b"", pause=0.0, context=None, polite=False):
    """Sends the first bytes, all at once or one by one, and then only waits for the end."""

    def script(peer):
        yield from peer.connect(address)
        if context is not None:
            yield from peer.handshake(context)
        try:
            yield from peer.send(first, piece=1 if pause else None, pause=pause)
        except (BrokenPipeError, ConnectionResetError):
            return None  # its time was over
        if polite:
            peer.half_close()
        received = yield from peer.until_end()
        expect(received.size in (0, 12) or not polite, f"{received.size} bytes came back")
        return received.end

    return script


@test("urgent data neither breaks nor stalls the stream, in either direction: plain and TLS")
def urgent_data(t):
    adversary = Adversary(t)

    def urgent_echo(peer):
        """Sends what comes back, with urgent bytes between."""
        while data := (yield from some(peer)):
            yield from peer.send(data)
            peer.urgent(b"!")
        peer.half_close()

    def some(peer):
        try:
            return (yield from peer.receive(5))
        except EOFError:
            return b""

    backend = adversary.server(urgent_echo)
    penstock = t.front([backend])

    def script(peer):
        yield from peer.connect(penstock.address())
        for number in range(200):
            peer.urgent(b"?")
            yield from peer.send(b"%05d" % number)
            expect((yield from peer.receive(5)) == b"%05d" % number, "the stream is intact")
        peer.half_close()
        return (yield from peer.until_end())

    ended = adversary.outcomes([adversary.client(script)])[0]
    expect((ended.size, ended.end) == (0, "fin"), f"{ended}")
    record = penstock.wait_records(1)[0]
    expect(record["reason"] == "finished", f"{record}")
    urgent_in_handshake(t, adversary)


def urgent_in_handshake(t, adversary):
    """A TLS client with an urgent byte before its first record and one between two others. (Of two
    urgent bytes in a row the kernel makes the first an ordinary one, which no record survives.)
    """
    backend = adversary.server(echo, "second", expected=(OSError,))
    penstock = t.front([backend], "tls")
    context = t.shared.client_context("tls13")
    done = adversary.gate()

    def script(peer):
        yield from peer.connect(penstock.address())
        peer.urgent(b"?")
        yield from peer.handshake(context)
        peer.urgent(b"?")
        yield from peer.send(peer.encrypted(b"ping"))
        yield from peer.hold_until(done)
        peer.reset()

    client = adversary.client(script)
    until(lambda: backend.peers and backend.peers[0].received == 4, 10, "the bytes arrive")
    done.open()
    adversary.outcomes([client])
    expect(penstock.reasons(1) == ["client_reset"], f"{penstock.records}")


@test(
    "a peer that the network has swallowed is found by keepalive, and by user_timeout",
    limit=40,
    tiers=("full",),
)
def swallowed_peers(t):
    adversary = Adversary(t)

    def deaf_echo(peer):
        yield from peer.receive(4)
        yield from peer.send(b"pong")
        yield from peer.receive(4)  # so that the answer was acknowledged
        peer.go_deaf()
        yield from peer.hold(30)

    steady = adversary.server(talkative, "steady", expected=(OSError, EOFError))
    swallowed = adversary.server(deaf_echo, "swallowed")
    quiet = {"keepalive": "1s", "user_timeout": "0s", "idle_timeout": "0s"}
    sending = {"keepalive": "0s", "user_timeout": "1s", "idle_timeout": "0s"}
    listeners, pools = {}, {}
    for name, settings, backend in (
        ("quiet-client", quiet, steady),
        ("quiet-backend", quiet, swallowed),
        ("sending", sending, steady),
    ):
        listeners[name] = {"bind": ["127.0.0.1:0"], "pool": name} | settings
        pools[name] = {"backends": [t.entry(backend)]}
    penstock = t.penstock(listeners, pools)

    def client(name, deaf, wants):
        def script(peer):
            yield from peer.connect(penstock.address(name))
            yield from peer.send(b"ping")
            yield from peer.receive(4)
            yield from peer.send(wants)
            if deaf:
                while clients.outq(peer.socket):  # what it would repeat is a sign of life
                    yield from peer.hold(0.01)
                peer.go_deaf()
                yield from until_told(peer, penstock, name)
                return None
            return (yield from peer.until_end(within=30)).end

        return script

    peers = adversary.clients(
        [
            client("quiet-client", True, b"hush"),
            client("quiet-backend", False, b"hush"),
            client("sending", True, b"talk"),
        ]
    )
    ends = adversary.outcomes(peers, 35)
    expect(ends[1] == "reset", f"the client whose backend is gone sees a reset, not {ends[1]}")
    reasons = {record["listener"]: record["reason"] for record in penstock.wait_records(3)}
    expect(
        reasons
        == {
            "quiet-client": "client_timeout",
            "quiet-backend": "backend_timeout",
            "sending": "client_timeout",
        },
        f"{reasons}",
    )


def talkative(peer):
    """Answers, and goes on talking when asked to."""
    yield from peer.receive(4)
    yield from peer.send(b"pong")
    if (yield from peer.receive(4)) == b"talk":
        while True:
            yield from peer.send(b"y" * 100)
            yield from peer.hold(0.1)
    yield from peer.until_end(within=40)


def until_told(peer, penstock, name):
    """Holds until the access log tells of the session's end."""
    while not any(record["listener"] == name for record in penstock.records):
        yield from peer.hold(0.1)


@test("250,000 writes of one byte arrive in order", limit=60, tiers=("full",))
def one_byte_writes(t):
    payload = Payload(t.count(250000))
    data = b"".join(map(bytes, payload.pieces()))
    adversary = Adversary(t)
    backend = adversary.server(lambda peer: peer.until_end(within=60))
    penstock = t.front([backend])

    def script(peer):
        yield from peer.connect(penstock.address())
        yield from peer.send(data, piece=1, within=60)
        peer.half_close()
        yield from peer.until_end(within=60)

    adversary.outcomes([adversary.client(script)], 60)
    received = backend.peers[0].outcome
    expect((received.digest, received.end) == (payload.digest, "fin"), f"{received.size} bytes")


@test("slow and fast ends in every mix get every byte: plain")
def slow_and_fast_ends(t):
    payload = Payload(256 << 10)
    data = b"".join(map(bytes, payload.pieces()))
    adversary = Adversary(t)
    fast, slow_ = {}, {"piece": 4096, "pause": 0.004}

    def server(pace):
        def script(peer):
            received = yield from peer.until_end(**pace)
            yield from peer.send(data, **pace)
            peer.half_close()
            return received

        return script

    def client(address, pace):
        def script(peer):
            yield from peer.connect(address, receive_buffer=8192)
            yield from peer.send(data, **pace)
            peer.half_close()
            return (yield from peer.until_end(**pace))

        return script

    peers, servers = [], []
    for back in (fast, slow_):
        servers.append(adversary.server(server(back), receive_buffer=8192))
        penstock = t.front([servers[-1]])
        peers += adversary.clients(client(penstock.address(), front) for front in (fast, slow_))
    received = adversary.outcomes(peers)
    received += [peer.outcome for each in servers for peer in each.peers]
    expect(len(received) == 8, f"four sessions, both ends: {len(received)}")
    for each in received:
        expect((each.digest, each.end) == (payload.digest, "fin"), f"exact and ended: {each}")


@test("sessions that nobody uses end at idle_timeout, never early and not much later")
def idle_exactness(t):
    adversary = Adversary(t)
    backend = adversary.server(lambda peer: peer.until_end(), expected=(OSError,))
    penstock = t.front([backend], listener={"idle_timeout": "1s"})

    def script(peer):
        yield from peer.connect(penstock.address())
        return (yield from peer.until_end()).end

    ends = adversary.outcomes(adversary.clients([script] * 100))
    expect(set(ends) == {"reset"}, f"{set(ends)}")
    records = penstock.wait_records(100)
    expect({record["reason"] for record in records} == {"idle_timeout"}, "all by idle_timeout")
    idle = sorted(record["duration_ms"] - record["connect_ms"] for record in records)
    expect(idle[0] >= 999, f"none is cut early: {idle[:3]} ms")
    late = 3000 if t.small else 1500
    expect(statistics.median(idle) < late, f"half of them within {late} ms: {idle[50]}")


CROWD = 1000


@test(
    "a crowd whose bytes all come at once runs out of buffers, loses nothing, spins on nothing",
    limit=40,
)
def crowd_at_once(t):
    adversary = Adversary(t)
    backend = adversary.server(echo, expected=(OSError,))
    penstock = t.front([backend], process={"shards": 1})
    go = adversary.gate()
    block = bytes(range(256)) * 40  # more than a small buffer holds: the next one is a large one

    def script(peer):
        yield from peer.connect(penstock.address())
        for _ in range(2):
            yield from peer.send(block)
            if (yield from peer.receive(len(block), within=40)) != block:
                return False
            yield from peer.hold_until(go)
        peer.half_close()
        return (yield from peer.until_end(within=40)).end == "fin"

    count = t.count(CROWD)
    peers = adversary.clients([script] * count)
    until(lambda: all(peer.received == len(block) for peer in peers), 30, "all were served once")
    penstock.process.send_signal(signal.SIGSTOP)
    go.open()
    until(lambda: all_sent(peers), 20, "all bytes wait in the kernel")
    penstock.process.send_signal(signal.SIGCONT)
    expect(all(adversary.outcomes(peers, 40)), "every answer is exact")
    counters = penstock.counters()
    shortages = counters["faults"]["buffer_shortages"]
    t.say(f"{shortages} receives found no buffer")
    if not t.small:
        expect(shortages > 0, "there were more bytes than buffers")
        expect_idle(penstock, 1)


def all_sent(peers):
    """Every script is waiting for its second answer."""
    return all(peer.waiting for peer in peers)
