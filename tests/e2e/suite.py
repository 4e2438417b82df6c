"""The registry of tests and what a running test is given.

A test is a function of one argument, the Context, registered with `@test("a sentence")`. Whatever a
test starts is deferred to the context, which ends it whether the test passed or not, and which
holds every penstock of the test to the promises of harness.Penstock.verify(). Single-threaded;
helper threads never raise into the runner.

When penstock's allocations fail on purpose (--switches fail-alloc), what the test itself expects
may fail for good reasons: a handshake or a session may end at any point. Then the test is only the
load, and it passes when the promises of every run hold.
"""
import dataclasses
import gc
import pathlib
import shutil
import signal
import tempfile
import time
import traceback

import pace
from harness import FAILING_PATIENCE, Penstock

TIERS = ("full", "coop", "plain")
MIB = 1 << 20


class Failure(AssertionError):
    """A promise that did not hold."""


class Skip(Exception):
    """What the test needs is not on this machine."""


class TimeLimit(BaseException):
    """Not an Exception, so that no handler inside a test swallows it."""


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    function: object
    limit: float
    tiers: tuple
    module: str


cases = []


def switches(text):
    """The value of --switches as a dict: {"poison": True, "fail-alloc": percent}."""
    chosen = {}
    for item in text.split(","):
        name, _, percent = item.partition("=")
        if name == "poison" and not percent:
            chosen[name] = True
        elif name == "fail-alloc":
            chosen[name] = float(percent or 1)
        else:
            raise ValueError(item)
    return chosen


def test(sentence, limit=20.0, tiers=TIERS):
    """Registers a test; `limit` is in seconds, doubled for small scale (sanitizers) by the
    runner.
    """

    def register(function):
        cases.append(Case(sentence, function, limit, tiers, function.__module__))
        return function

    return register


def expect(condition, message):
    if not condition:
        raise Failure(message)


def until(predicate, seconds, what, pause=0.01):
    """Polls until the predicate is true and returns its value; fails after `seconds`."""
    seconds = pace.slow(seconds)
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"within {seconds} s not seen: {what}")
        time.sleep(pause)


class Context:
    """What one test runs in: a folder, the options of the run, and everything it started."""

    def __init__(self, options, shared):
        self.binary = options.binary
        self.tier = options.tier
        self.small = options.scale == "small"
        self.switches = dict(options.switches)
        self.seed = options.seed
        self.shared = shared
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=shared.dir))
        self.penstocks = []
        self.backends = []
        self._deferred = []

    @property
    def failing(self):
        """Whether penstock's allocations fail on purpose."""
        return "fail-alloc" in self.switches

    def defer(self, function):
        """Runs `function` after the test, last first, whatever happened; it ends what the test has
        started around penstock.
        """
        self._deferred.append(function)

    def bulk(self, size):
        """A size of the large transfers: whole in tier full, an eighth in the others, 1/32 under
        sanitizers.
        """
        if self.small:
            return size // 32
        return size if self.tier == "full" else size // 8

    def count(self, number):
        return max(1, number // 10) if self.small else number

    def say(self, text):
        """A figure that the test measured, printed above its line."""
        print(f"    {text}", flush=True)

    def penstock(self, listeners, pools, process=None, **options):
        """Starts a penstock with this configuration and waits until it is ready."""
        instance = self.unready_penstock(listeners, pools, process, **options)
        instance.wait_ready()
        return instance

    def front(self, backends, kind="plain", listener=None, pool=None, process=None, **options):
        """The usual penstock: listener `web` (TLS unless kind is plain) before pool `app` of
        these backends.
        """
        secured = {} if kind == "plain" else {"tls": self.shared.tls()}
        web = {"bind": ["127.0.0.1:0"], "pool": "app"} | secured | (listener or {})
        app = {"backends": [self.entry(backend) for backend in backends]} | (pool or {})
        return self.penstock({"web": web}, {"app": app}, process, **options)

    @staticmethod
    def entry(backend):
        """A backend as the configuration has it: from a server of fleet.py, or an address as it
        is.
        """
        return (
            backend
            if isinstance(backend, (str, dict))
            else {"name": backend.name, "address": backend.address}
        )

    def unready_penstock(self, listeners, pools, process=None, **options):
        folder = pathlib.Path(
            tempfile.mkdtemp(prefix="penstock", dir=self.dir)
        )  # tests start some in parallel
        instance = Penstock(
            self, folder, {"listeners": listeners, "pools": pools}, process or {}, **options
        )
        self.penstocks.append(instance)
        instance.start()
        return instance

    def verify(self):
        for backend in self.backends:
            backend.verify()
        for instance in self.penstocks:
            instance.verify()

    def verify_failing(self):
        """The promises of every run, after a test that may have stopped anywhere."""
        self._end_peers()
        gc.collect()  # closes the sockets of frames that an exception left
        for instance in self.penstocks:
            instance.verify()

    def close(self):
        for instance in self.penstocks:
            instance.kill()
        self._end_peers()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _end_peers(self):
        while self._deferred:
            try:
                self._deferred.pop()()
            except Exception:
                traceback.print_exc()


def run_case(case, options, shared):
    """Runs one test. Returns None when it passed, Skip when it was skipped, else the text of the
    failure.
    """
    context = Context(options, shared)
    limit = pace.slow(case.limit * (3 if context.small else 1))

    def expired(_number, _frame):
        raise TimeLimit(f"time limit of {limit:.0f} s")

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        if context.failing:
            run_failing(case, context)
        else:
            case.function(context)
            context.verify()
        return None
    except Skip as skip:
        return skip
    except (Exception, TimeLimit) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return describe(error, context)
    finally:
        signal.setitimer(signal.ITIMER_REAL, pace.slow(15))
        try:
            context.close()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def run_failing(case, context):
    """The test as a load only: what it expects does not count."""
    try:
        case.function(context)
    except Skip:
        raise
    except (Exception, TimeLimit):
        pass  # its own expectations, waits among them; the promises are looked at below
    signal.setitimer(signal.ITIMER_REAL, 2 * FAILING_PATIENCE)
    context.verify_failing()


def describe(error, context):
    here = str(pathlib.Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(here)
    ]
    lines = [f"{type(error).__name__}: {error}"]
    lines += [
        f"  at {pathlib.Path(frame.filename).name}:{frame.lineno} {frame.line}"
        for frame in frames[-5:]
    ]
    for backend in context.backends:
        lines += [f"  in backend: {text}" for text in backend.errors[:3]]
    for instance in context.penstocks:
        lines += instance.story()
    return "\n".join(lines)
