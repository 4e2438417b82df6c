"""One penstock process under test: its configuration, log, counters and the promises that hold
after every test.

`verify()` asserts what must be true of any run, whatever the test did: no io_uring worker thread
ever existed, the descriptors are back to the count at ready, SIGTERM ends it with 0, the final
counters have no active session and every accepted one has a reason, and no sanitizer complained.
Reader threads collect stdout and stderr; a sampler thread watches /proc/PID/task.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pace

DISABLED = {
    "full": [],
    "coop": ["defer_taskrun", "single_issuer"],
    "plain": None,  # every optional feature: read from the header
}
FEATURES_HEADER = pathlib.Path(__file__).resolve().parents[2] / "include/penstock/io/features.h"
SANITIZER = re.compile(
    r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:|assertion failed"
)
# Longer than a client or a backend of a test that has stopped in the middle may wait.
FAILING_PATIENCE = 45.0
LISTENING = re.compile(r"^listening: (\S+) on (\S+)")


def features(required):
    """The names of the required or the optional kernel features, from the table in the header."""
    rows = re.findall(r"^\s*X\((\w+), (true|false),", FEATURES_HEADER.read_text(), re.M)
    return [name for name, flag in rows if flag == ("true" if required else "false")]


def disabled_features(tier):
    names = DISABLED[tier]
    return features(required=False) if names is None else names


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{toml_key(key)} = {toml(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    return json.dumps(str(value))


def toml_key(name):
    return name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)


def render(config):
    """A configuration of nested dicts as TOML: one [section.name] per listener and pool."""
    lines = []
    for section, content in config.items():
        named = section in ("listeners", "pools")
        tables = (
            [(f"{section}.{name}", table) for name, table in content.items()]
            if named
            else [(section, content)]
        )
        for header, table in tables:
            lines.append(f"[{header}]")
            lines += [f"{key} = {toml(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


class Problem(AssertionError):
    """A promise of every run that did not hold."""


class Penstock:
    def __init__(self, context, folder, config, process, access="stdout", wrapper=(), log=None):
        self.context = context
        self.folder = folder
        self.file = folder / "penstock.toml"
        settings = {
            "shards": 2,
            "pin": False,
            "io_disable": disabled_features(context.tier),
        } | process
        self.config = config | {"process": settings, "log": {"access": access} | (log or {})}
        self.wrapper = list(wrapper)
        self.process = None
        self.log_lines = []
        self.records = []
        self.snapshots = []  # counters, in the order they were printed
        self.worker_threads = set()
        self.baseline = None
        self.checked = False  # the exit was part of the test
        self.told_to_end = False  # a second signal would cut its sessions
        self.wrong_end = None  # how it ended, when the test expected another end
        self._changed = threading.Condition()
        self._threads = []
        self._reads_log = threading.Event()
        self._reads_log.set()
        self._log_halted = threading.Event()

    # -- life --------------------------------------------------------------------------------------

    def start(self):
        self.file.write_text(render(self.config))
        command = self.wrapper + [str(self.context.binary), "run", "--config", str(self.file)]
        command += self._switches()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        for target in (self._read_log, self._read_output, self._sample):
            thread = threading.Thread(target=target, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _switches(self):
        chosen = self.context.switches
        options = ["--poison"] if "poison" in chosen else []
        if "fail-alloc" in chosen:
            # From ready on: a start under shortage has tests of its own.
            options += ["--fail-alloc", str(chosen["fail-alloc"]), "--fail-from", "ready"]
            options += ["--fail-seed", str(self.context.seed)]
        return options

    @property
    def pid(self):
        return self.process.pid

    def wait_ready(self, seconds=15):
        self.wait_log(r"^ready: ", seconds)
        self.baseline = self.descriptors()

    def signal(self, number):
        """SIGTERM or SIGINT."""
        self.told_to_end = True
        self.process.send_signal(number)

    def stop(self, code=0, seconds=5.0):
        """SIGTERM unless it came before, then the expected exit within `seconds`."""
        if self.process.poll() is None and not self.told_to_end:
            self.signal(signal.SIGTERM)
        self.wait_exit(code, seconds)

    def wait_exit(self, code, seconds):
        try:
            seen = self.process.wait(pace.slow(seconds))
        except subprocess.TimeoutExpired:
            raise Problem(f"penstock did not end within {pace.slow(seconds)} s") from None
        for thread in self._threads:
            thread.join(pace.slow(5))
        self.checked = True
        if seen != code:
            self.wrong_end = f"penstock ended with {seen}, expected {code}"
            raise Problem(self.wrong_end)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(pace.slow(10))

    # -- what it says ------------------------------------------------------------------------------

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                self.log_lines.append(line.rstrip("\n"))
                self._changed.notify_all()
            if not self._reads_log.is_set():
                self._log_halted.set()
                self._reads_log.wait()

    def stop_reading_log(self):
        """Stops the reader of stderr and fills the pipe to the last byte."""
        self._log_halted.clear()
        self._reads_log.clear()
        pipe = f"/proc/self/fd/{self.process.stderr.fileno()}"
        writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)  # flags of its own: penstock's block
        try:
            os.write(writer, b"filler\n")
            if not self._log_halted.wait(5):
                raise Problem("the reader of the log did not see a line")
            for piece in (b"filler\n" * 500, b"\n"):
                self._fill(writer, piece)
        finally:
            os.close(writer)

    @staticmethod
    def _fill(writer, piece):
        try:
            while True:
                os.write(writer, piece)
        except BlockingIOError:
            pass  # full

    def go_on_reading_log(self):
        self._reads_log.set()

    def _read_output(self):
        for line in self.process.stdout:
            try:
                value = json.loads(line)
            except ValueError:
                value = {"unreadable": line}
            with self._changed:
                (self.snapshots if "sessions" in value else self.records).append(value)
                self._changed.notify_all()

    def _wait(self, find, seconds, what):
        seconds = pace.slow(seconds)
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = find()
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Problem(f"within {seconds} s not seen: {what}")
                if self.process.poll() is not None and left > 1:
                    deadline = (
                        time.monotonic() + 1
                    )  # it ended: only what is still in the pipes can come
                self._changed.wait(min(left, 0.2))

    def texts(self):
        """The texts of the log lines so far, without time and level."""
        return [
            line.split(" ", 2)[2] if line.count(" ") >= 2 else line for line in list(self.log_lines)
        ]

    def wait_log(self, pattern, seconds=5.0):
        """The first log text that matches, waited for."""

        def find():
            return next((text for text in self.texts() if re.search(pattern, text)), None)

        return self._wait(find, seconds, f"log line {pattern!r}")

    def wait_records(self, count, seconds=5.0):
        """The access log once `count` sessions have ended."""
        return self._wait(
            lambda: len(self.records) >= count and list(self.records),
            seconds,
            f"{count} ended sessions in the access log",
        )

    def reasons(self, count, seconds=5.0):
        return [record["reason"] for record in self.wait_records(count, seconds)]

    def addresses(self, listener="web"):
        found = [match for match in map(LISTENING.match, self.texts()) if match]
        return [match.group(2) for match in found if match.group(1) == listener]

    def address(self, listener="web"):
        return self.addresses(listener)[0]

    def counters(self, seconds=5.0):
        """Asks for the counters with SIGUSR2."""
        before = len(self.snapshots)
        self.process.send_signal(signal.SIGUSR2)
        self._wait(lambda: len(self.snapshots) > before, seconds, "the counters after SIGUSR2")
        return self.snapshots[-1]

    def wait_counters(self, predicate, seconds, what):
        seconds = pace.slow(seconds)
        deadline = time.monotonic() + seconds
        while True:
            counters = self.counters()
            if predicate(counters):
                return counters
            if time.monotonic() > deadline:
                raise Problem(
                    f"within {seconds} s not seen: {what}; counters {json.dumps(counters)}"
                )
            time.sleep(0.02)

    # -- what the system says ----------------------------------------------------------------------

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss(self):
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _sample(self):
        folder = f"/proc/{self.pid}/task"
        while self.process.poll() is None:
            self._sample_once(folder)
            time.sleep(0.05)

    def _sample_once(self, folder):
        try:
            for task in os.listdir(folder):
                with open(f"{folder}/{task}/comm", encoding="utf-8") as comm:
                    name = comm.read().strip()
                if name.startswith("iou-wrk"):
                    self.worker_threads.add(name)
        except OSError:
            pass  # the thread or the process ended meanwhile

    # -- the promises of every run -----------------------------------------------------------------

    def verify(self):
        if not self.checked and self.process.poll() is not None:
            raise Problem(f"penstock ended by itself with {self.process.returncode}")
        if self.wrong_end:
            raise Problem(self.wrong_end)
        if self.process.poll() is None:
            self._verify_descriptors()
            self.stop()
        if self.worker_threads:
            raise Problem(f"io_uring worker threads were seen: {sorted(self.worker_threads)}")
        complaint = next((line for line in self.log_lines if SANITIZER.search(line)), None)
        if complaint:
            raise Problem(f"sanitizer or assertion: {complaint}")
        if self.baseline is not None:
            self._verify_counters()

    def _verify_descriptors(self):
        deadline = time.monotonic() + pace.slow(FAILING_PATIENCE if self.context.failing else 3)
        while self.descriptors() > self.baseline + self._probes():
            if time.monotonic() > deadline:
                raise Problem(
                    f"{self.descriptors()} descriptors open, {self.baseline} at ready: "
                    f"{self._open_files()}"
                )
            time.sleep(0.02)

    def _probes(self):
        """How many health checks may have a connection open right now."""
        pools = self.config["pools"].values()
        return sum(len(pool["backends"]) for pool in pools if "health" in pool)

    def _open_files(self):
        folder = f"/proc/{self.pid}/fd"
        return sorted(os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder))

    def _verify_counters(self):
        if not self.snapshots:
            raise Problem("no counters were printed at the end")
        final = self.snapshots[-1]
        for name, group in [("sessions", final["sessions"])] + sorted(final["listeners"].items()):
            closed = sum(group["closed"].values())
            if group["active"] != 0 or group["accepted"] != closed:
                raise Problem(f"final counters of {name} do not add up: {json.dumps(group)}")
        for name, group in final["listeners"].items():
            closed = group["closed"]
            failed = closed.get("handshake_failed", 0) + closed.get("handshake_timeout", 0)
            if sum(group["handshake_faults"].values()) != failed:
                raise Problem(f"handshake faults of {name} do not add up: {json.dumps(group)}")
        for name, group in final["backends"].items():
            if group["active"] != 0:
                raise Problem(f"final counters of backend {name}: {json.dumps(group)}")
        if final["sessions"]["closed"].get("internal_error") and not self.context.failing:
            raise Problem(f"sessions ended as internal_error: {json.dumps(final['sessions'])}")

    def story(self):
        """The end of the log and of the records, for the report of a failure."""
        lines = []
        if self.process.poll() is not None and not self.checked:
            lines.append(f"  penstock ended by itself with {self.process.returncode}")
        lines += [f"  penstock log | {line}" for line in self.log_lines[-25:]]
        lines += [f"  access log   | {json.dumps(record)}" for record in self.records[-5:]]
        lines += [f"  counters     | {json.dumps(self.snapshots[-1])}"] if self.snapshots else []
        return lines
