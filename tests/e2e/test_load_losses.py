"""penstock-load through penstock, with backends that lose what they are told to lose: what the
tool reports, what penstock counts and what the backends have counted themselves add up, to the
operation and to the byte.
"""
import dataclasses
import functools
import itertools
import json
import pathlib
import re
import signal
import subprocess
import time

import adversary
import clients
import pace
import suite
from suite import expect, until
from test_load import Serve, load, tool
from test_shutdown import is_listening

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

SIZE = 5000  # of a request, and of its answer
CONNECTIONS = 16
SPOILT = 10  # answers: fewer than connections, so that each run has as many
NTH = 3  # the answer of a connection that is spoilt
PATIENCE_MS = 1000


class Ledger:
    """What the backends of a test have seen and done, by their own count. They share it, and spoil
    `budget` answers together. Messages are of one size.
    """

    def __init__(self, budget, size=SIZE):
        self.size = size
        self.connections = 0
        self.requests = 0  # read whole
        self.answers = 0  # written whole
        self.unwritten = 0  # answers that found nobody to read them any more
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
        data = yield from peer.receive(ledger.size)
    except (EOFError, ConnectionResetError):
        ledger.bytes_in += peer.received - before
        return None
    ledger.bytes_in += ledger.size
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
            try:
                yield from say(peer, ledger, data)
            except (ConnectionResetError, BrokenPipeError):
                ledger.unwritten += 1
                return
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


def front(t, backends, kind="plain", **options):
    """A penstock that spreads the tool's connections over these backends."""
    return t.front(backends, kind, pool={"hash_key": "source_ip_port"}, **options)


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
        penstock = front(t, backends_of(t, ledger, NTH, misdeed.spoil), kind)
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


@test("load tool, answers that stop in the middle are lost to the byte, and are no mere timeouts")
def stopped_within(t):
    kept_connections(t, Misdeed(silent_after(1234), "timeout_within", "client_reset", cut=1234,
                                lost=True, code=1))


@test("load tool, one flipped bit in each of some answers is as many corrupt streams")
def flipped_bits(t):
    kept_connections(t, Misdeed(flipped_bit, "corrupt", "client_reset", corrupt=True, code=1))


@test("load tool, what is under way behind a spoilt answer is told apart from it")
def spoilt_under_depth(t):
    for spoil, error, behind in (
        (reset_after(1234), "reset_within", "reset_before"),
        (ended_after(1234), "ended_within", "ended_before"),
        (flipped_bit, "corrupt", "dropped"),
        (silent_after(0), "timeout", "dropped"),
    ):
        count, spoilt = t.count(600), t.count(SPOILT)
        ledger = Ledger(spoilt)
        penstock = front(t, backends_of(t, ledger, NTH, spoil))
        _, own = run_json(
            t, penstock.address(), "--closed", "--depth", 4, "-n", count, "-c", CONNECTIONS,
            "--timeout", f"{pace.slow(PATIENCE_MS):.0f}ms", "--size", SIZE,
        )
        quiet(penstock)
        failed = sum(own["errors"].values())
        expect_same(error, told=own["errors"].get(error), done=ledger.spoilt, meant=spoilt)
        expect(own["errors"].keys() == {error, behind}, f"{error}: {own['errors']}")
        expect_same("operations", asked=count, seen=own["count"]["operations"] + failed)
        expect_same("answers", received=own["count"]["operations"], written=ledger.answers)
        most = 3 * spoilt  # as many as can be behind one
        expect(0 < own["errors"][behind] <= most, f"{error}: {own['errors']}")


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
        penstock = front(t, backends_of(t, ledger, 1, misdeed.spoil))
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


class Running:
    """The tool in the middle of its run; finish() is how it ended and its JSON."""

    def __init__(self, t, *arguments):
        self.results = t.dir / "running.json"
        command = [tool(t), "run", *map(str, arguments), "--json", str(self.results)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        t.defer(self.process.kill)

    def wait_error(self):
        """Until it has told of an interval with errors in it."""
        for line in self.process.stdout:
            if re.search(r"  errors [1-9]", line):
                return
        raise suite.Failure("it told of no error until its end")

    def finish(self, seconds=20):
        out, errors = self.process.communicate(timeout=pace.slow(seconds))
        expect(not errors, errors)
        return subprocess.CompletedProcess([], self.process.returncode, out), json.loads(
            self.results.read_text()
        )


def tcp_rows():
    """The kernel's IPv4 connections: proc(5) has the columns."""
    return [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]


def as_in_tcp_rows(address):
    host, port = address.rsplit(":", 1)
    return "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{int(port):04X}"


def unread(address):
    """Connections to this address whose server has left bytes unread."""
    local = as_in_tcp_rows(address)
    return sum(row[1] == local and row[3] == "01" and row[4][-8:] != "00000000"
               for row in tcp_rows())


SMALL = 64  # bytes of a message that is never cut
BEFORE = {"reset_before", "ended_before"}


def expect_whole_losses(asked, own, counters):
    """No answer was cut, and what has no answer is what the bytes say."""
    count = own["count"]
    failed = sum(own["errors"].values())
    expect_same("operations", asked=asked, seen=count["operations"] + failed + count["unsent"])
    expect(own["errors"].keys() <= BEFORE and count["lost_bytes"] == 0, f"{own['errors']} {count}")
    expect_same("lost", failed=failed * SMALL, bytes=count["bytes_out"] - count["bytes_in"])
    expect_same("bytes in", received=count["bytes_in"], answered=count["operations"] * SMALL,
                passed=total(counters, "bytes_out"))
    expect_same("connections", opened=count["connections"],
                accepted=counters["sessions"]["accepted"])


class EachHasOne:
    """Of penstock's counters: every connection has been given a request since the first look. Those
    of a server that answers come by turns; where none does, nothing comes any more.
    """

    def __init__(self, address, held):
        self.address, self.held = address, held
        self.first, self.last, self.since = None, None, None

    def __call__(self, counters):
        receives, now = counters["receives"], time.monotonic()
        if self.first is None:
            self.first = receives
        if receives != self.last:
            self.last, self.since = receives, now
        given = receives - self.first >= 4 * CONNECTIONS or now - self.since >= 0.3
        # Some more may be in its hands.
        return given and unread(self.address) >= max(1, self.held // 2)


def killed_and_restarted(t, serve):
    serve.process.kill()
    serve.process.wait(pace.slow(5))
    # The kernel lets go of a ring's sockets a moment later.
    until(lambda: not is_listening(serve.address), 5, "its address is free")
    return Serve(t, listen=serve.address)


@test("load tool, a backend that hangs and is killed costs exactly the requests that it held")
def killed_while_it_holds(t):
    serves = [Serve(t), Serve(t)]
    names = ("app/a", "app/b")
    penstock = front(t, [{"name": name[4:], "address": serve.address}
                        for name, serve in zip(names, serves)])
    rate = t.count(400)
    running = Running(t, penstock.address(), "--rate", rate, "-d", "5s", "-c", CONNECTIONS)
    held = 0
    for place, name in enumerate(names):
        before = penstock.wait_counters(
            lambda seen: seen["sessions"]["active"] == CONNECTIONS, 5, "all are connected"
        )
        there = before["backends"][name]["active"]
        serve = serves[place]
        serve.process.send_signal(signal.SIGSTOP)
        penstock.wait_counters(EachHasOne(serve.address, there), 5, "it holds requests")
        held += there
        serves[place] = killed_and_restarted(t, serve)
        # One that has met the killed one's last moment has been lost again.
        penstock.wait_counters(
            lambda seen: seen["sessions"]["accepted"] >= CONNECTIONS + held
            and seen["sessions"]["active"] == CONNECTIONS, 5, "all are back"
        )
    done, own = running.finish()
    counters = quiet(penstock)
    expect_whole_losses(5 * rate, own, counters)
    expect_same("bytes out", sent=own["count"]["bytes_out"], passed=total(counters, "bytes_in"))
    failed = sum(own["errors"].values())
    lost = own["count"]["connections"] - CONNECTIONS
    t.say(f"{failed} lost, {held} connections were held, {lost} lost")
    expect(held - 2 <= failed <= lost and lost >= held, f"{failed} of {held}, {lost}: {own}")
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}")
    for name, serve in zip(names, serves):
        seen = serve.stop()
        first = counters["backends"][name]["bytes_in"] - seen["bytes_in"]
        expect(first > 0 and seen["bytes_in"] == seen["bytes_out"], f"{name}: {counters} {seen}")
        expect(name == "app/b" or seen["bytes_in"] > 0, f"{name} was used again: {seen}")


@test("load tool, backends killed and restarted under a connection each: every loss is told")
def killed_under_connections(t):
    serves = [Serve(t), Serve(t)]
    penstock = front(t, [{"name": name, "address": serve.address}
                        for name, serve in zip("ab", serves)])
    rate = t.count(800)
    running = Running(t, penstock.address(), "--mode", "conn", "--rate", rate, "-d", "2s", "-c",
                      CONNECTIONS)
    for place, at in ((0, rate // 2), (1, rate), (0, 3 * rate // 2)):
        penstock.wait_counters(
            lambda seen: seen["sessions"]["accepted"] >= at, 5, f"{at} connections"
        )
        serves[place] = killed_and_restarted(t, serves[place])
    done, own = running.finish()
    counters = quiet(penstock)
    expect_whole_losses(2 * rate, own, counters)
    expect_same("connections", asked=2 * rate, opened=own["count"]["connections"])
    closed = counters["sessions"]["closed"]
    told = {"finished", "backend_reset", "client_reset"}
    expect(closed.keys() <= told and closed["finished"] > rate, f"{closed}")
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}")


class Relay:
    """Two penstocks after one another on one port; the first gets SIGTERM in the middle."""

    def __init__(self, t, backends, **process):
        self._t = t
        self._backends = backends
        self.first = front(t, backends, process=process)
        self.address = self.first.address()
        self.second = None

    def end_first(self):
        self.first.signal(signal.SIGTERM)
        until(lambda: not is_listening(self.address), 5, "the listener is closed")

    def start_second(self):
        self.second = front(self._t, self._backends, listener={"bind": [self.address]})

    def counters(self):
        """Of both together, once each has no session left."""
        self.first.wait_exit(0, 10)
        return [self.first.snapshots[-1], quiet(self.second)]



def expect_told_of_relay(asked, own, ledger, seen):
    """Every operation that is missing is one that the backends have not read, have not answered
    or whose answer did not come through.
    """
    count = own["count"]
    failed = sum(own["errors"].values())
    refused = own["errors"].get("connect_refused", 0)
    unread = asked - refused - count["unsent"] - ledger.requests
    expect_same("requests", read=ledger.requests,
                done=ledger.answers + ledger.unwritten + ledger.spoilt)
    unheard = ledger.answers - count["operations"]
    expect_same("operations", asked=asked, seen=count["operations"] + failed + count["unsent"])
    expect_same("failed", told=failed,
                counted=refused + unread + ledger.spoilt + ledger.unwritten + unheard)
    expect(unread >= 0 and unheard >= 0, f"{unread} not read, {unheard} answers not heard")
    expect_same("bytes lost on their way there", of=unread * SMALL,
                seen=count["bytes_out"] - ledger.bytes_in)
    expect_same("bytes lost on their way back", of=unheard * SMALL,
                seen=ledger.bytes_out - count["bytes_in"])
    expect_same("accepted", penstocks=sum(each["sessions"]["accepted"] for each in seen),
                backends=ledger.connections)
    expect(count["lost_bytes"] == 0 and count["corrupt_streams"] == 0, f"{count}")
    return failed, unread, unheard


@test("load tool, penstock's SIGTERM and a new one on its port: lost is what was still held")
def relayed(t):
    rate = t.count(400)
    hung = 4
    ledger = Ledger(hung, SMALL)
    relay = Relay(t, backends_of(t, ledger, NTH, silent_after(0)), shutdown_timeout="1s")
    running = Running(t, relay.address, "--rate", rate, "-d", "3s", "-c", CONNECTIONS)
    until(lambda: ledger.spoilt == hung, 5, "some requests hang")
    relay.end_first()
    relay.start_second()
    done, own = running.finish()
    first, second = relay.counters()
    failed, unread, unheard = expect_told_of_relay(3 * rate, own, ledger, (first, second))
    t.say(f"{failed} lost: {hung} held, {unread} not read, {unheard} answers not heard")
    expect(own["errors"] == {"reset_before": failed}, f"{own['errors']}")
    expect(own["errnos"] == {"104": failed}, f"{own['errnos']}")
    expect(first["sessions"]["closed"] == {"shutdown": CONNECTIONS}, f"{first['sessions']}")
    expect(second["sessions"]["closed"] == {"finished": CONNECTIONS}, f"{second['sessions']}")
    expect(own["count"]["connections"] == 2 * CONNECTIONS, f"{own['count']}")
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}")


def relayed_one_each(t, close, usual, gap=False):
    """With a gap there is no penstock until the tool has told of errors."""
    rate = t.count(800)
    hung = 4
    ledger = Ledger(hung, SMALL)
    relay = Relay(t, backends_of(t, ledger, 1, silent_after(0)))
    running = Running(
        t, relay.address, "--mode", "conn", "--close", close, "--rate", rate, "-d", "2s", "-c",
        # A connect that meets the first one's last moment comes through a second later, repeated.
        CONNECTIONS, "--timeout", f"{pace.slow(3 * PATIENCE_MS):.0f}ms", "--interval", "100ms",
    )
    until(lambda: ledger.connections > rate // 2, 5, "it is in the middle")
    relay.end_first()
    if gap:
        running.wait_error()
    relay.start_second()
    done, own = running.finish()
    seen = relay.counters()
    failed, unread, unheard = expect_told_of_relay(2 * rate, own, ledger, seen)
    refused = own["errors"].get("connect_refused", 0)
    t.say(f"{failed} lost: {refused} refused, {hung} held, {unread} not read, {unheard} not heard")
    expect(own["errors"].get("timeout") == hung, f"{own['errors']}")
    expect(own["errnos"].get("111", 0) == refused, f"{own['errnos']}")
    expect(refused > 0 or not gap, f"none was refused: {own['errors']}")
    expect_same("connections", asked=2 * rate - refused, opened=own["count"]["connections"])
    closed = [each["sessions"]["closed"] for each in seen]
    expect(all(each.keys() <= {usual, "client_reset"} for each in closed), f"{closed}")
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout}")


@test("load tool, penstock's SIGTERM and a new one on its port, a connection each, ended by FIN")
def relayed_fin(t):
    relayed_one_each(t, "fin", "finished")


@test("load tool, no penstock for a while, a connection each, ended by RST: refused ones are told")
def relayed_rst(t):
    relayed_one_each(t, "rst", "client_reset", gap=True)
