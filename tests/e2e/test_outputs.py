"""stdout and stderr: nobody who stops reading them, and nobody who closes them, harms a client."""
import signal

import clients
import fleet
from suite import expect, test, until

HEALTH = {"type": "tcp", "interval": "100ms", "timeout": "1s", "rise": 1, "fall": 1}


def served(penstock):
    """Whether a new client reaches a backend."""
    try:
        with clients.Stream(clients.connect(penstock.address())) as stream:
            stream.sendall(b"x")
            return stream.exactly(1) == b"x"
    except (ConnectionError, EOFError):
        return False


def found_dead(penstock):
    """Whether the health checks have told the shards: a client that comes now is not even tried."""
    clients.closed_unserved(penstock.address())
    return any(record["reason"] == "no_backend" for record in list(penstock.records))


@test("a full stderr that nobody reads holds up neither health changes nor SIGTERM")
def stuck_stderr(t):
    backend = fleet.Backend(t, fleet.echo)
    penstock = t.front([backend], pool={"health": HEALTH})
    expect(served(penstock), "the backend lives")
    penstock.stop_reading_log()
    backend.close()
    until(lambda: found_dead(penstock), 5, "the backend is found dead")
    fleet.Backend(t, fleet.echo, address=backend.address)
    until(lambda: served(penstock), 5, "the backend is found alive again")

    penstock.go_on_reading_log()
    until(lambda: penstock.log_lines[-1] == "", 5, "the pipe is empty")
    penstock.process.send_signal(signal.SIGHUP)
    penstock.wait_log(r"^[2-9] log lines were dropped$")
    penstock.wait_log(r"^SIGHUP: ")

    penstock.stop_reading_log()
    penstock.process.send_signal(signal.SIGTERM)
    expect(penstock.process.wait(5) == 0, "SIGTERM ends it with 0")
    penstock.go_on_reading_log()
    penstock.wait_exit(0, 1)
