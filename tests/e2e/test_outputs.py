"""stdout and stderr: nobody who stops reading them, and nobody who closes them, harms a client."""
import os
import signal
import subprocess

import clients
import fleet
import harness
from suite import expect, test, until

HEALTH = {"type": "tcp", "interval": "100ms", "timeout": "1s", "rise": 1, "fall": 1}


def is_served(address):
    """Whether a new client reaches a backend."""
    try:
        with clients.Stream(clients.connect(address)) as stream:
            stream.sendall(b"x")
            return stream.exactly(1) == b"x"
    except (OSError, EOFError):
        return False


def found_dead(penstock):
    """Whether the health checks have told the shards: a client that comes now is not even tried."""
    clients.closed_unserved(penstock.address())
    return any(record["reason"] == "no_backend" for record in list(penstock.records))


@test("a full stderr that nobody reads holds up neither health changes nor SIGTERM")
def stuck_stderr(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    penstock = t.front([backend], pool={"health": HEALTH})
    expect(is_served(penstock.address()), "the backend lives")
    penstock.stop_reading_log()
    backend.close()
    until(lambda: found_dead(penstock), 8, "the backend is found dead")
    fleet.Backend(t, fleet.echo, address=backend.address, expected=(OSError,))
    until(lambda: is_served(penstock.address()), 8, "the backend is found alive again")

    penstock.go_on_reading_log()
    until(lambda: penstock.log_lines[-1] == "", 5, "the pipe is empty")
    penstock.process.send_signal(signal.SIGHUP)
    penstock.wait_log(r"^[2-9] log lines were dropped$")
    penstock.wait_log(r"^SIGHUP: ")

    penstock.stop_reading_log()
    penstock.signal(signal.SIGTERM)
    expect(penstock.process.wait(5) == 0, "SIGTERM ends it with 0")
    penstock.go_on_reading_log()
    penstock.wait_exit(0, 1)


@test("a standard descriptor that is closed at start is /dev/null, never a client's socket")
def closed_descriptors(t):
    backend = fleet.Backend(t, fleet.echo, expected=(OSError,))
    for closed in ((0,), (1,), (2,), (0, 1, 2)):
        folder = t.dir / "-".join(map(str, closed))
        folder.mkdir()
        address = f"unix:{folder}/web.sock"
        config = folder / "penstock.toml"
        config.write_text(
            harness.render(
                {
                    "listeners": {"web": {"bind": [address], "pool": "app"}},
                    "pools": {"app": {"backends": [backend.address]}},
                    "process": {"shards": 1, "pin": False},
                }
            )
        )
        redirections = " ".join(f"{number}>&-" for number in closed)
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", t.binary, "run", "--config", config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        t.defer(process.kill)
        until(lambda: is_served(address), 10, f"a client is served with {closed} closed")
        for number in closed:
            target = os.readlink(f"/proc/{process.pid}/fd/{number}")
            expect(target == "/dev/null", f"{closed} closed: {number} is {target}")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        expect(process.returncode == 0, f"{closed} closed: SIGTERM ends it with 0")
