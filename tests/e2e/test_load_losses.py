"""penstock-load through penstock, with backends that lose what they are told to lose: what the
tool reports, what penstock counts and what the backends have counted themselves add up, to the
operation and to the byte.
"""
import dataclasses
import functools
import itertools
import json

import adversary
import clients
import pace
import suite
from suite import expect
from test_load import load

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

SIZE = 5000  # of a request, and of its answer
CONNECTIONS = 16
SPOILT = 10  # answers: fewer than connections, so that each run has as many
NTH = 3  # the answer of a connection that is spoilt
PATIENCE_MS = 1000


class Ledger:
    """What the backends of a test have seen and done, by their own count. They share it, and spoil
    `budget` answers together.
    """

    def __init__(self, budget):
        self.connections = 0
        self.requests = 0  # read whole
        self.answers = 0  # written whole
        self.spoilt = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.budget = budget

    def spend(self):
        if self.spoilt == self.budget:
            return False
        self.spoilt += 1
        return True


def request(peer, ledger):
    """A request, or None at the end of the connection, whichever it is."""
    before = peer.received
    try:
        data = yield from peer.receive(SIZE)
    except (EOFError, ConnectionResetError):
        ledger.bytes_in += peer.received - before
        return None
    ledger.bytes_in += SIZE
    ledger.requests += 1
    return data


def answering(ledger, nth, spoil):
    """A script: echoes requests, but for the nth of a connection as long as there is budget."""

    def script(peer):
        ledger.connections += 1
        for number in itertools.count(1):
            data = yield from request(peer, ledger)
            if data is None:
                return
            if number == nth and ledger.spend():
                yield from spoil(peer, ledger, data)
                return
            yield from say(peer, ledger, data)
            ledger.answers += 1

    return script


def say(peer, ledger, data):
    yield from peer.send(data)
    ledger.bytes_out += len(data)


def reset_after(cut):
    """The first bytes of an answer, and a reset once they have been acknowledged."""

    def spoil(peer, ledger, data):
        yield from say(peer, ledger, data[:cut])
        while clients.outq(peer.socket):
            yield from peer.hold(0.001)
        peer.reset()

    return spoil


def ended_after(cut):
    """The first bytes of an answer, and the end of the stream."""

    def spoil(peer, ledger, data):
        yield from say(peer, ledger, data[:cut])
        peer.half_close()
        yield from peer.until_end()

    return spoil


def silent_after(cut):
    """The first bytes of an answer, and nothing more."""

    def spoil(peer, ledger, data):
        yield from say(peer, ledger, data[:cut])
        yield from peer.until_end()

    return spoil


def flipped_bit(peer, ledger, data):
    """An answer whose last byte has one bit wrong."""
    yield from say(peer, ledger, data[:-1] + bytes([data[-1] ^ 16]))
    yield from peer.until_end()


@dataclasses.dataclass(frozen=True)
class Misdeed:
    """What is done to an answer, and how the tool and penstock are to call it."""

    spoil: object
    error: str
    reason: str  # of the session's end, as penstock calls it
    cut: int = 0  # bytes of the answer that arrive
    errno: int = 0
    lost: bool = False  # what does not arrive is lost, not only late or never asked again
    corrupt: bool = False
    code: int = 0


def run_json(t, *arguments):
    """Runs the tool; how it ended and the JSON that it wrote."""
    results = t.dir / "run.json"
    done = load(t, *arguments, "--json", results)
    return done, json.loads(results.read_text())


def backends_of(t, ledger, nth, spoil):
    """Two of them on one thread; their connections end as the tool or penstock ends them."""
    actor = adversary.Adversary(t)
    script = answering(ledger, nth, spoil)
    return [actor.server(script, name) for name in ("a", "b")]


def quiet(penstock):
    """Its counters once no session is left."""
    return penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == 0, 5, "every session has ended"
    )


def total(counters, key):
    return sum(group[key] for group in counters["backends"].values())


def expect_same(what, **figures):
    """All of the figures are one number."""
    expect(len(set(figures.values())) == 1, f"{what}: {figures}")


def expect_sums(asked, own, ledger, counters):
    """What holds when all that was sent has arrived, whatever became of it there."""
    count = own["count"]
    failed = sum(own["errors"].values())
    expect_same("operations", asked=asked, seen=count["operations"] + failed + count["unsent"])
    expect_same("requests", sent=asked - count["unsent"], read=ledger.requests)
    expect_same("answers", received=count["operations"], written=ledger.answers)
    expect_same("spoilt", failed=failed, done=ledger.spoilt, meant=ledger.budget)
    expect_same("connections", opened=count["connections"], backends=ledger.connections,
                accepted=counters["sessions"]["accepted"])
    expect_same("bytes out", sent=count["bytes_out"], read=ledger.bytes_in,
                passed=total(counters, "bytes_in"))
    expect_same("bytes in", received=count["bytes_in"], written=ledger.bytes_out,
                passed=total(counters, "bytes_out"))


def expect_told(misdeed, times, own, counters, usual):
    """Each spoilt answer is told as what it was; the other sessions end as usual."""
    expect(own["errors"] == {misdeed.error: times}, f"{misdeed.error}: {own['errors']}")
    errnos = {str(misdeed.errno): times} if misdeed.errno else {}
    expect(own["errnos"] == errnos, f"{misdeed.error}: {own['errnos']}")
    lost = times * (SIZE - misdeed.cut) if misdeed.lost else 0
    expect(own["count"]["lost_bytes"] == lost, f"{misdeed.error}, {lost}: {own['count']}")
    corrupt = times if misdeed.corrupt else 0
    expect(own["count"]["corrupt_streams"] == corrupt, f"{corrupt}: {own['count']}")
    closed = {usual: counters["sessions"]["accepted"] - times}
    closed[misdeed.reason] = closed.get(misdeed.reason, 0) + times
    expect(counters["sessions"]["closed"] == closed, f"{closed}: {counters['sessions']}")


def kept_connections(t, misdeed):
    """Open loop, requests and answers on connections that stay, until one is spoilt."""
    for kind in ("plain", "tls13"):
        count = t.count(400)
        spoilt = t.count(SPOILT)
        ledger = Ledger(spoilt)
        penstock = t.front(backends_of(t, ledger, NTH, misdeed.spoil), kind)
        where = ("tls://" if kind != "plain" else "") + penstock.address()
        done, own = run_json(
            t, where, "--rate", t.count(800), "-n", count, "-c", CONNECTIONS,
            "--timeout", f"{pace.slow(PATIENCE_MS):.0f}ms", "--size", SIZE,
        )
        counters = quiet(penstock)
        expect_sums(count, own, ledger, counters)
        expect_told(misdeed, spoilt, own, counters, "finished")
        expect(done.returncode == misdeed.code, f"{kind}: exit {done.returncode}: {done.stdout}")


@test("load tool, answers cut by a reset are lost to the byte, through penstock, plain and TLS")
def reset_within(t):
    kept_connections(t, Misdeed(reset_after(1234), "reset_within", "backend_reset", cut=1234,
                                errno=104, lost=True, code=1))


@test("load tool, requests answered by a reset are counted, and no answer was cut")
def reset_before(t):
    kept_connections(t, Misdeed(reset_after(0), "reset_before", "backend_reset", errno=104))


@test("load tool, answers that end in the middle are lost to the byte, through penstock")
def ended_within(t):
    kept_connections(t, Misdeed(ended_after(4999), "ended_within", "finished", cut=4999, lost=True,
                                code=1))


@test("load tool, requests answered by an end are counted, and no answer was cut")
def ended_before(t):
    kept_connections(t, Misdeed(ended_after(0), "ended_before", "finished"))


@test("load tool, requests that are never answered are timeouts, as many as there were")
def never_answered(t):
    kept_connections(t, Misdeed(silent_after(0), "timeout", "client_reset"))


@test("load tool, one flipped bit in each of some answers is as many corrupt streams")
def flipped_bits(t):
    kept_connections(t, Misdeed(flipped_bit, "corrupt", "client_reset", corrupt=True, code=1))


# On a connection for each operation, in the order in which they are done below.
MISDEEDS = (
    Misdeed(reset_after(1234), "reset_within", "backend_reset", cut=1234, errno=104, lost=True,
            code=1),
    Misdeed(reset_after(0), "reset_before", "backend_reset", errno=104),
    Misdeed(ended_after(4999), "ended_within", "finished", cut=4999, lost=True, code=1),
    Misdeed(silent_after(0), "timeout", "client_reset"),
    Misdeed(flipped_bit, "corrupt", "client_reset", corrupt=True, code=1),
)


def one_each(t, close, usual):
    """A connection for each operation; the first ones are spoilt."""
    for misdeed in MISDEEDS:
        count = t.count(200)
        spoilt = t.count(SPOILT)
        ledger = Ledger(spoilt)
        penstock = t.front(backends_of(t, ledger, 1, misdeed.spoil))
        done, own = run_json(
            t, penstock.address(), "--mode", "conn", "--close", close, "--rate", t.count(800),
            "-n", count, "-c", CONNECTIONS, "--timeout", f"{pace.slow(PATIENCE_MS):.0f}ms",
            "--size", SIZE,
        )
        counters = quiet(penstock)
        expect_sums(count, own, ledger, counters)
        expect_same("connections", asked=count, opened=own["count"]["connections"])
        expect_told(misdeed, spoilt, own, counters, usual)
        expect(done.returncode == misdeed.code, f"exit {done.returncode}: {done.stdout}")


@test("load tool, a connection each, ended by FIN: what is spoilt is told and the rest adds up")
def one_each_fin(t):
    one_each(t, "fin", "finished")


@test("load tool, a connection each, ended by RST: what is spoilt is told and the rest adds up")
def one_each_rst(t):
    one_each(t, "rst", "client_reset")
