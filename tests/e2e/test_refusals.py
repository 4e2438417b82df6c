"""Where io_uring cannot be had, penstock refuses to start: exit 69 and a sentence with the cause
and the remedy.
"""
import errno
import os
import pathlib
import sys

from suite import Skip, expect, test
from test_cli import call, listener_config

WITHOUT_IO_URING = str(pathlib.Path(__file__).with_name("without_io_uring.py"))
SYSCTL = "/proc/sys/kernel/io_uring_disabled"


def expect_refusal(t, wrapper, words, code=69):
    """Runs penstock under `wrapper`: it ends with the exit code, and one error line has all the
    words.
    """
    config = listener_config(t, process={"shards": 1, "pin": False})
    result = call(t, "run", "--config", config, wrapper=wrapper)
    expect(result.returncode == code, f"{wrapper}: {result}")
    errors = [line for line in result.stderr.splitlines() if " error " in line]
    expect(len(errors) == 1, f"{wrapper}: one sentence: {result.stderr}")
    expect(all(word in errors[0] for word in words), f"{wrapper}: {words} in: {errors[0]}")


@test("a seccomp profile that blocks io_uring is named, with the calls to allow")
def seccomp(t):
    for number in (errno.EPERM, errno.ENOSYS):
        expect_refusal(
            t,
            [sys.executable, WITHOUT_IO_URING, str(number)],
            ["seccomp", "io_uring_setup", "io_uring_enter", "io_uring_register"],
        )


@test("the sysctl that switches io_uring off is named with its value and how to change it")
def sysctl(t):
    if os.geteuid() != 0:
        raise Skip("needs root, for a mount namespace")
    for value, words in (("2", "is switched off"), ("1", "kernel.io_uring_group")):
        # The machine keeps its own value: a file over the sysctl's, and the errno that it gives.
        fake = t.dir / "io_uring_disabled"
        fake.write_text(value + "\n")
        hidden = f'mount --bind {fake} {SYSCTL} && exec "$@"'
        expect_refusal(
            t,
            ["unshare", "--mount", "sh", "-c", hidden, "sh"]
            + [sys.executable, WITHOUT_IO_URING, str(errno.EPERM)],
            [f"kernel.io_uring_disabled is {value}", "sysctl -w kernel.io_uring_disabled=0", words],
        )


@test("a kernel that is too old is named with the release that is needed")
def old_kernel(t):
    expect_refusal(t, ["setarch", "--uname-2.6"], ["kernel 2.6.", "too old", "Linux 6.1"])


@test("too little locked memory is named with the ways to raise it, at the probe and later")
def locked_memory(t):
    # The superuser's capability to lock any amount has to go.
    plain_user = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    words = ["locked memory is too low", "ulimit -l", "LimitMEMLOCK"]
    expect_refusal(t, [*plain_user, "prlimit", "--memlock=0:0"], words)
    # Enough for the small rings of the probe, not for a shard's.
    expect_refusal(t, [*plain_user, "prlimit", "--memlock=65536:65536"], words, code=1)
