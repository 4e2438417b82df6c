"""What only a machine of one's own allows: sysctls of the whole system, and what its kernel offers
that later work stands on. guest.py runs these, as root, in the virtual machine.
"""
import os
import pathlib
import platform
import re
import socket
import time

import clients
import fleet
import pace
from suite import Skip, expect, test
from test_refusals import expect_refusal

SYSCTL = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
GROUP = pathlib.Path("/proc/sys/kernel/io_uring_group")
NOBODY = 65534
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
]
TCP_ULP = 31  # linux/tcp.h


def set_sysctl(t, path, value):
    """Until the end of the test."""
    if not path.exists():
        raise Skip(f"Linux {platform.release()} has no {path.name}; it came with 6.6")
    before = path.read_text()
    t.defer(lambda: path.write_text(before))
    path.write_text(f"{value}\n")


def expect_served(t, wrapper):
    """Under `wrapper`, penstock starts and relays."""
    backend = fleet.Backend(t, fleet.echo)
    # Where an unprivileged user may read it.
    t.dir.chmod(0o755)
    pathlib.Path(t.shared.dir).chmod(0o755)
    penstock = t.unready_penstock(
        {"web": {"bind": ["127.0.0.1:0"], "pool": "app"}},
        {"app": {"backends": [t.entry(backend)]}},
        wrapper=wrapper,
    )
    penstock.folder.chmod(0o755)
    penstock.wait_ready()
    with clients.Stream(clients.connect(penstock.address())) as stream:
        stream.sendall(b"ping")
        expect(stream.exactly(4) == b"ping", "the echo")
    penstock.stop()


@test("kernel.io_uring_disabled = 2 refuses everybody, exit 69 and the sentence")
def switched_off(t):
    set_sysctl(t, SYSCTL, 2)
    words = ["kernel.io_uring_disabled is 2", "is switched off", "sysctl -w"]
    for wrapper in ([], readable(t, AS_NOBODY)):
        expect_refusal(t, wrapper, words)


@test("kernel.io_uring_disabled = 1 refuses a user without privileges, who is told of the group")
def reserved(t):
    set_sysctl(t, SYSCTL, 1)
    words = ["kernel.io_uring_disabled is 1", "sysctl -w", "kernel.io_uring_group"]
    expect_refusal(t, readable(t, AS_NOBODY), words)
    expect_served(t, [])


@test("kernel.io_uring_group lets that user in, as the sentence says")
def group(t):
    set_sysctl(t, SYSCTL, 1)
    set_sysctl(t, GROUP, NOBODY)
    expect_served(t, AS_NOBODY)


def readable(t, wrapper):
    """The wrapper, once the test's folder can be read by the user that it stands for."""
    t.dir.chmod(0o755)
    pathlib.Path(t.shared.dir).chmod(0o755)
    return wrapper


@test("kernel TLS can be switched on for a connection")
def kernel_tls(t):
    with fleet.listen("127.0.0.1:0") as listener:
        with clients.connect(fleet.address_of(listener)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            name = connection.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16)
    expect(name.rstrip(b"\0") == b"tls", f"the upper-layer protocol is {name}")


@test("the clock is right, lo is up and what programs expect of a machine is there")
def machine(t):
    # The build folder was written by the host a while ago, at a time of the host's clock.
    built = t.binary.stat().st_mtime
    expect(built < time.time() < built + 30 * 86400, f"the clock says {time.ctime()}")
    state = pathlib.Path("/sys/class/net/lo/operstate").read_text().strip()
    expect(state in ("up", "unknown"), f"lo is {state}")
    for folder in ("/tmp", "/dev/shm", "/run", "/dev/pts"):
        expect(os.path.ismount(folder), f"{folder} is mounted")
    mounts = pathlib.Path("/proc/mounts").read_text()
    expect(re.search(r"^overlay / overlay ", mounts, re.M), "what is written stays in memory")


@test("an idle penstock is idle on this kernel")
def idle(t):
    penstock = t.front([fleet.refused_address()])
    before = penstock.cpu_seconds()
    time.sleep(2)  # the time over which the CPU use is measured
    used = penstock.cpu_seconds() - before
    expect(used < pace.slow(0.02), f"{used:.2f} s of CPU in 2 s without a connection")
