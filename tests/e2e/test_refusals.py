"""Where io_uring cannot be had, penstock refuses to start: exit 69 and a sentence with the cause
and the remedy.
"""
import errno
import os
import pathlib
import subprocess
import sys

import fleet
import harness
from suite import Skip, expect, test
from test_cli import call, listener_config

WITHOUT_IO_URING = str(pathlib.Path(__file__).with_name("without_io_uring.py"))
FEW_THREADS = str(pathlib.Path(__file__).with_name("few_threads.py"))
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
    trial = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if trial.returncode != 0:
        raise Skip("no mount namespace: it needs root, and a root that is a mount point")
    if not pathlib.Path(SYSCTL).exists():
        raise Skip("this kernel has no kernel.io_uring_disabled; it came with Linux 6.6")
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


def serves(t, wrapper):
    """Whether penstock gets ready under `wrapper`; false when it ends instead."""
    penstock = t.unready_penstock(
        {"web": {"bind": ["127.0.0.1:0"], "pool": "app"}},
        {"app": {"backends": [fleet.refused_address()]}},
        {"shards": 1},
        wrapper=wrapper,
    )
    try:
        penstock.wait_ready()
    except harness.Problem:
        penstock.checked = True
        return False
    penstock.stop()
    return True


@test("too little locked memory is named with the ways to raise it, at the probe and later")
def locked_memory(t):
    # The superuser's capability to lock any amount has to go.
    plain_user = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    if serves(t, [*plain_user, "prlimit", "--memlock=0:0"]):
        raise Skip("this kernel does not count an io_uring as locked memory")
    words = ["locked memory is too low", "ulimit -l", "LimitMEMLOCK"]
    expect_refusal(t, [*plain_user, "prlimit", "--memlock=0:0"], words)
    # Enough for the small rings of the probe, not for a shard's.
    expect_refusal(t, [*plain_user, "prlimit", "--memlock=65536:65536"], words, code=1)


@test("too few threads are a sentence with the ways to raise the limit, whichever cannot start")
def too_few_threads(t):
    if os.geteuid() != 0:
        raise Skip("needs root, to become another user")
    if t.small:
        raise Skip("a sanitizer starts threads of its own")
    config = t.dir / "threads.toml"
    for access, allowed, thread in (
        ("stdout", 1, "access-log"),
        ("off", 1, "shard-0"),
        ("off", 2, "shard-1"),
        ("off", 3, "health"),
    ):
        pool = {"backends": ["127.0.0.1:9"], "health": {"type": "tcp"}}
        tables = {
            "listeners": {"web": {"bind": ["127.0.0.1:0"], "pool": "app"}},
            "pools": {"app": pool},
            "process": {"shards": 2, "pin": False},
            "log": {"access": access},
        }
        config.write_text(harness.render(tables))
        with config.open() as source:
            arguments = ["run", "--config", "/dev/stdin"]
            expect_no_thread(t, allowed, arguments, source, thread)
    expect_no_thread(t, 40, ["demo", "--ports", "0,0"], subprocess.DEVNULL, "of a demo server")


def expect_no_thread(t, allowed, arguments, stdin, thread):
    result = subprocess.run(
        [sys.executable, FEW_THREADS, str(allowed), str(t.binary), *arguments],
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    expect(result.returncode == 1, f"{thread}: {result}")
    errors = [line for line in result.stderr.splitlines() if " error " in line]
    expect(len(errors) == 1, f"{thread}: one sentence: {result.stderr}")
    for words in (f"cannot start the thread {thread}:", "ulimit -u", "TasksMax", "pids.max"):
        expect(words in errors[0], f"{words} in: {errors[0]}")
