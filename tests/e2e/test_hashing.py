"""Which backend a client reaches: exactly the one that the independent table of
tests/data/maglev.py gives.
"""
import collections

import clients
import fleet
from predictor import Predictor
from suite import expect, test


def sources(count, network="127.0"):
    """Loopback addresses 127.0.x.y, spread over both bytes."""
    return [f"{network}.{1 + number % 20}.{1 + number * 37 % 250}" for number in range(count)]


def one_answer(item):
    address, source = item
    return source, fleet.get(address, source)


def expect_prediction(answers, predictor):
    """answers: pairs of a source address and the name that answered."""
    wrong = [
        (source, seen, predictor.pick(source))
        for source, seen in answers
        if seen != predictor.pick(source)
    ]
    expect(
        not wrong,
        f"{len(wrong)} of {len(answers)} went elsewhere; (source, seen, predicted): {wrong[:3]}",
    )


@test("500 requests from 200 addresses reach exactly the nginx that the table gives")
def each_address_reaches_its_backend(t):
    servers = fleet.nginx_fleet(t)
    penstock = t.front(servers)
    predictor = Predictor([("a", 1), ("b", 1), ("c", 1)])
    addresses = sources(200)
    expect(len(set(addresses)) == 200, "the test's addresses are distinct")
    answers = [one_answer((penstock.address(), addresses[number % 200])) for number in range(500)]
    expect_prediction(answers, predictor)
    expect(len({seen for _, seen in answers}) == 3, "all three were used")
    counters = penstock.wait_counters(
        lambda seen: seen["sessions"]["active"] == 0, 3, "all sessions closed"
    )
    spread = collections.Counter(seen for _, seen in answers)
    for name, count in spread.items():
        seen = counters["backends"][f"app/{name}"]["connections"]
        expect(
            seen == count, f"{seen} connections counted for {name}, {count} requests answered by it"
        )


@test("weights shift the share, and each address still reaches the nginx that the table gives")
def weights(t):
    servers = fleet.nginx_fleet(t)
    weighted = [
        {"name": server.name, "address": server.address, "weight": weight}
        for server, weight in zip(servers, (1, 5, 2))
    ]
    penstock = t.front(weighted, process={"hash_seed": 7})
    predictor = Predictor([("a", 1), ("b", 5), ("c", 2)], seed=7)
    answers = [one_answer((penstock.address(), source)) for source in sources(120)]
    expect_prediction(answers, predictor)
    spread = collections.Counter(seen for _, seen in answers)
    expect(
        spread["b"] > spread["c"] > 0 and spread["b"] > spread["a"] > 0,
        f"b has the largest share: {spread}",
    )


@test("a backend given as an address is hashed under that address as its name")
def address_as_name(t):
    servers = fleet.nginx_fleet(t)
    penstock = t.front([server.address for server in servers])
    names = {server.address: server.name for server in servers}
    predictor = Predictor([(server.address, 1) for server in servers])
    wrong = [
        source
        for source in sources(40)
        if fleet.get(penstock.address(), source) != names[predictor.pick(source)]
    ]
    expect(not wrong, f"these sources went elsewhere: {wrong[:5]}")


def answer_and_port(address, source):
    """(source port, name) of one request."""
    with clients.connect(address, source) as connection:
        port = connection.getsockname()[1]
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        reply = clients.Stream(connection)
        body = b""
        while piece := reply.recv():
            body += piece
    return port, body.decode().rsplit("\r\n\r\n", 1)[-1].strip()


@test("with source_ip_port each connection of one address follows its own port")
def source_ip_port(t):
    servers = fleet.nginx_fleet(t)
    penstock = t.front(servers, pool={"hash_key": "source_ip_port"})
    predictor = Predictor([("a", 1), ("b", 1), ("c", 1)])
    seen = [answer_and_port(penstock.address(), "127.0.3.9") for _ in range(60)]
    wrong = [(port, name) for port, name in seen if name != predictor.pick("127.0.3.9", port)]
    expect(not wrong, f"{len(wrong)} of 60 went elsewhere: {wrong[:3]}")
    expect(len({name for _, name in seen}) == 3, "one address reaches all three")


@test("IPv6 listeners and backends, hashed by the 16 bytes and the port")
def ipv6(t):
    servers = [fleet.Nginx(t, name, "[::1]:0") for name in ("six", "sechs")]
    penstock = t.front(servers, listener={"bind": ["[::1]:0"]}, pool={"hash_key": "source_ip_port"})
    predictor = Predictor([("six", 1), ("sechs", 1)])
    seen = [answer_and_port(penstock.address(), "::1") for _ in range(30)]
    wrong = [(port, name) for port, name in seen if name != predictor.pick("::1", port)]
    expect(not wrong, f"{len(wrong)} of 30 went elsewhere: {wrong[:3]}")
    record = penstock.wait_records(30)[0]
    expect(record["client"].startswith("[::1]:"), f"the client is named by its address: {record}")


@test("one listener binds IPv4, IPv6 and a unix path, and all reach the same pool")
def three_families(t):
    server = fleet.Nginx(t, "only")
    path = t.dir / "web.sock"
    penstock = t.front(
        [server], listener={"bind": ["127.0.0.1:0", "[::1]:0", f"unix:{path}"], "mode": "0666"}
    )
    addresses = penstock.addresses()
    expect(len(addresses) == 3, f"three addresses are announced: {addresses}")
    for address in addresses:
        expect(fleet.get(address) == "only", f"{address} answers")
    expect(
        path.stat().st_mode & 0o777 == 0o666, f"mode of the unix socket: {path.stat().st_mode:o}"
    )
    penstock.stop()
    expect(not path.exists(), "the unix socket's file is gone after the end")


@test("unix backends are reached, and clients of a unix listener are spread over them")
def unix_backends(t):
    servers = [fleet.Nginx(t, name, f"unix:{t.dir}/{name}.sock") for name in ("a", "b")]
    penstock = t.front(servers, listener={"bind": [f"unix:{t.dir}/web.sock"]})
    answers = collections.Counter(fleet.get(penstock.address()) for _ in range(40))
    expect(set(answers) == {"a", "b"}, f"both unix backends answer, nothing fails: {answers}")


@test("a stale unix socket file is replaced, a living one is refused")
def stale_unix_socket(t):
    server = fleet.Nginx(t, "only")
    path = t.dir / "web.sock"
    fleet.listen(f"unix:{path}").close()  # leaves the file behind
    penstock = t.front([server], listener={"bind": [f"unix:{path}"]})
    expect(fleet.get(f"unix:{path}") == "only", "the new socket answers")
    listeners = {"web": {"bind": [f"unix:{path}"], "pool": "app"}}
    second = t.unready_penstock(listeners, {"app": {"backends": [server.address]}})
    second.wait_exit(1, 5)
    expect(
        any(str(path) in text for text in second.texts()),
        f"the refusal names the path: {second.texts()}",
    )
    expect(fleet.get(penstock.address()) == "only", "the first goes on")
