"""penstock-load's flags: each does to connections and operations what it says, as the other side
sees it.
"""
import functools

import adversary
import suite
from suite import expect
from test_load_losses import run_json

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

SIZE = 64


@test("load tool, --burst: as many operations at once, and the rate stays that of the operations")
def burst(t):
    actor = adversary.Adversary(t)
    asked, gate = [], actor.gate()

    def script(peer):
        data = yield from peer.receive(SIZE)
        asked.append(peer)
        if len(asked) == 10:
            gate.open()
        yield from peer.hold_until(gate)
        yield from peer.send(data)
        yield from peer.until_end()

    server = actor.server(script)
    # One after another they would take 90 s.
    done, own = run_json(t, server.address, "--rate", "0.1", "--burst", 10, "-n", 10, "-c", 10,
                         "-d", "60s", "--timeout", "10s")
    expect(done.returncode == 0 and own["errors"] == {}, f"{done.stdout}")
    expect(own["count"]["operations"] == 10 and len(asked) == 10, f"{own['count']}")
    expect("uniform arrivals of 10 at once" in done.stdout, done.stdout)


@test("load tool, --no-catchup: what finds no connection in time is never sent, and told as that")
def no_catchup(t):
    actor = adversary.Adversary(t)
    asked = []

    def script(peer):
        while (yield from peer.receive(SIZE)):
            asked.append(peer)
            yield from peer.until_end()

    server = actor.server(script, expected=(OSError, EOFError))
    done, own = run_json(t, server.address, "--rate", 200, "-n", 50, "-c", 2, "--no-catchup",
                         "--timeout", "1s", "-d", "60s")
    count = own["count"]
    expect(done.returncode == 1 and own["errors"] == {"timeout": len(asked)}, f"{done.stdout}")
    expect(1 <= len(asked) <= 2 and count["unsent"] == 50 - len(asked), f"{count}")
    told = f"{count['unsent']}  never sent: skipped, no catching up"
    expect(told in done.stdout and "no catching up: operations" in done.stdout, done.stdout)
