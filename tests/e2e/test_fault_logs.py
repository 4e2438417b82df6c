"""An access log that cannot be written: a full disk, a pipe whose reader has stopped (case 42 of
tests/FAULTS.md). Serving goes on, and what is lost is counted.
"""
import fcntl
import json
import os
import re
import time

from adversary import Adversary, visit
from suite import expect, test


def echo(peer):
    return peer.echo()


@test("with the access log on a full disk, every session is served and the lost lines are counted")
def full_disk(t):
    adversary = Adversary(t)
    backend = adversary.server(echo)
    penstock = t.front([backend], access="/dev/full")
    answers = adversary.outcomes(adversary.clients([visit(penstock.address())] * 300))
    expect(set(answers) == {b"ping"}, "all are served")
    warning = penstock.wait_log(r"^access log /dev/full: lines are being lost")
    expect("No space left" in warning, warning)
    penstock.stop()
    penstock.wait_log(r"^access log /dev/full: 300 lines could not be written$")


@test("with the access log's pipe blocked, sessions are served; what was not lost is whole lines")
def blocked_pipe(t):
    adversary = Adversary(t)
    backend = adversary.server(echo)
    path = t.dir / "access.pipe"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    t.defer(lambda: os.close(pipe))
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    penstock = t.front([backend], access=str(path))
    for _ in range(4):
        start = time.monotonic()
        answers = adversary.outcomes(adversary.clients([visit(penstock.address())] * 50))
        expect(set(answers) == {b"ping"}, "all are served")
        expect(time.monotonic() - start < 5, "while the log's writer waits")
    penstock.wait_log(r"lines are being lost: its reader has stopped reading", 10)
    penstock.stop(seconds=10)
    lost = penstock.wait_log(r"^access log \S+: \d+ lines? could not be written$")
    lines = os.read(pipe, 1 << 20).splitlines()
    expect(lines and all(json.loads(line)["reason"] == "finished" for line in lines), "whole lines")
    lost = int(re.search(r": (\d+) line", lost).group(1))
    expect(lost + len(lines) == 200, f"{lost} lost and {len(lines)} written are 200")
