"""Several shards: long connections are spread evenly, whatever the kernel's hash makes of them."""
import clients
import fleet
from suite import expect, test, until


def echo(stream):
    while data := stream.recv():
        stream.sendall(data)
    stream.finish()


def held(t, penstock, count):
    """Clients that are served, each with an answer, and stay."""
    streams = []
    for _ in range(count):
        stream = clients.Stream(clients.connect(penstock.address()))
        t.defer(stream.close)
        stream.sendall(b"ping")
        streams.append(stream)
    for stream in streams:
        expect(stream.exactly(4) == b"ping", "each is answered")
    return streams


def leave(penstock, streams):
    for stream in streams:
        stream.sendall(b"more")
        expect(stream.exactly(4) == b"more", "handed over or not, it goes on")
        stream.finish()
        expect(clients.drain(stream).end == "fin", "the session ends cleanly")
    until(lambda: penstock.counters()["sessions"]["active"] == 0, 5, "all have ended")


@test("200 connections that stay are spread over the shards, none has many more than another")
def even(t):
    backend = fleet.Backend(t, echo)
    penstock = t.front([backend], process={"shards": 3})
    streams = held(t, penstock, 200)
    shards = penstock.counters()["shards"]
    active = [shard["active"] for shard in shards]
    expect(sum(active) == 200, f"all are counted: {shards}")
    # Compared are two at a time; between two that never met in the end there may be a little more.
    expect(max(active) - min(active) <= 3 + max(active) // 8 + 3, f"evenly: {shards}")
    expect(sum(shard["handed_over"] for shard in shards) > 0, f"by hand-over: {shards}")
    leave(penstock, streams)


@test("with hand_over = false every connection stays on the shard that accepted it")
def off(t):
    backend = fleet.Backend(t, echo)
    penstock = t.front([backend], process={"shards": 2, "hand_over": False})
    streams = held(t, penstock, 100)
    shards = penstock.counters()["shards"]
    expect(sum(shard["active"] for shard in shards) == 100, f"{shards}")
    expect(all(shard["handed_over"] == 0 for shard in shards), f"{shards}")
    leave(penstock, streams)
