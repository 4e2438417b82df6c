"""A network namespace of a test's own: where the kernel's limits can be shrunk without touching the
machine's.

It has no name and lives as long as a descriptor to it is open. Threads enter it one by one, because
a thread has a namespace of its own; programs are started through nsenter. Needs the right to make
one (root), else the test is skipped.
"""
import ctypes
import os
import pathlib
import subprocess
import threading

from suite import Skip

CLONE_NEWNET = 0x40000000  # linux/sched.h
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self, context):
        self._fd = None
        self._on_thread(self._make)
        context.defer(lambda: os.close(self._fd))
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        subprocess.run([*self.wrapper, "ip", "link", "set", "lo", "up"], check=True, timeout=10)

    @property
    def wrapper(self):
        """What to put before a command so that it runs in here."""
        return ["nsenter", f"--net={self.path}"]

    def enter(self):
        """Moves the calling thread in here; there is no way back."""
        if libc.setns(self._fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def set(self, name, value):
        """Sets net.ipv4.NAME of this namespace."""

        def write():
            self.enter()
            pathlib.Path(f"/proc/sys/net/ipv4/{name}").write_text(f"{value}\n")

        self._on_thread(write)

    def _make(self):
        if libc.unshare(CLONE_NEWNET) != 0:
            raise Skip("needs root, for a network namespace")
        self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    @staticmethod
    def _on_thread(function):
        failures = []

        def run():
            try:
                function()
            except Exception as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
