"""Bulk between plain TCP connections goes through a pipe of the kernel's: it stays exact, whatever
else the connection does, and goes back to being copied when it is bulk no more.
"""
import clients
import fleet
from clients import Payload, drain
from suite import MIB, Skip, expect, test
from test_transfer import expect_same

# In tier full it is more than what moves before the low watermark is raised: the end lies below it.
LONG = 96 * MIB


def splice_counters(t, penstock):
    if t.tier == "plain":
        raise Skip("splicing is switched off in tier plain")
    return penstock.counters()["splice"]


@test("a long download is spliced in its one direction, and exact", limit=40)
def download(t):
    payload = Payload(t.bulk(LONG) + 777)

    def handler(stream):
        payload.send(stream)
        stream.finish()

    penstock = t.front([fleet.Backend(t, handler)])
    with clients.open_stream("plain", penstock.address(), t.shared) as stream:
        expect_same(drain(stream), payload)
    counters = splice_counters(t, penstock)
    expect(counters["begun"] >= 1 and counters["pipes_refused"] == 0, counters)


@test("both directions of a connection are spliced, one after the other's half-close", limit=40)
def both(t):
    payload = Payload(t.bulk(LONG) + 333)

    def handler(stream):
        received = drain(stream)
        payload.send(stream)
        stream.finish()
        return received

    backend = fleet.Backend(t, handler)
    penstock = t.front([backend])
    with clients.open_stream("plain", penstock.address(), t.shared) as stream:
        payload.send(stream)
        stream.finish()
        expect_same(drain(stream), payload)
        expect_same(backend.result(), payload)
    expect(penstock.reasons(1) == ["finished"], "it ended as it should")
    counters = splice_counters(t, penstock)
    expect(counters["begun"] >= 2, counters)


@test("after bulk comes small talk on the same connection: no byte waits for more", limit=40)
def small_talk(t):
    payload = Payload(t.bulk(LONG))

    def handler(stream):
        payload.send(stream)
        while (got := stream.recv(1)):
            stream.sendall(got)
        stream.finish()

    penstock = t.front([fleet.Backend(t, handler)])
    with clients.open_stream("plain", penstock.address(), t.shared) as stream:
        # The last byte comes although the peer sends no other after it.
        expect_same(drain(stream, payload.size), payload, "limit")
        for number in range(200):
            stream.sendall(bytes([number]))
            expect(stream.exactly(1) == bytes([number]), f"answer {number}")
        if t.tier != "plain":
            penstock.wait_counters(lambda now: now["splice"]["ended"] >= 1, 5, "copied again")
        stream.finish()
        expect(drain(stream).end == "fin", "the end arrives")


@test("splice = false: the same transfer is copied", limit=40)
def switched_off(t):
    payload = Payload(t.bulk(LONG) // 4)
    backend = fleet.Backend(t, lambda stream: (payload.send(stream), stream.finish()))
    penstock = t.front([backend], process={"splice": False})
    with clients.open_stream("plain", penstock.address(), t.shared) as stream:
        expect_same(drain(stream), payload)
    expect(penstock.counters()["splice"]["begun"] == 0, "nothing was spliced")


@test("when pipe_memory is used up, further transfers are copied, counted, and exact", limit=40)
def out_of_pipes(t):
    payload = Payload(t.bulk(LONG))
    backend = fleet.Backend(t, lambda stream: (payload.send(stream), stream.finish()))
    penstock = t.front([backend], process={"pipe_memory": "1MiB", "shards": 1})

    def fetch(_):
        with clients.open_stream("plain", penstock.address(), t.shared) as stream:
            return drain(stream)

    for received in clients.parallel(fetch, range(8)):
        expect_same(received, payload)
    counters = splice_counters(t, penstock)
    expect(counters["begun"] >= 1 and counters["pipes_refused"] >= 1, counters)


@test("a backend that resets in the middle of bulk: what came before is delivered, then a reset",
      limit=40)
def reset_in_bulk(t):
    payload = Payload(t.bulk(LONG))

    def handler(stream):
        payload.send(stream)
        clients.wait_acknowledged(stream)
        stream.reset()

    penstock = t.front([fleet.Backend(t, handler)])
    with clients.open_stream("plain", penstock.address(), t.shared) as stream:
        expect_same(drain(stream), payload, "reset")
    expect(penstock.reasons(1) == ["backend_reset"], "counted as what it was")
