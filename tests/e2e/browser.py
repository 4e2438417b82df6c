"""Browser: Chromium without a window, driven over a pair of pipes (the DevTools protocol)."""
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time

import pace
from suite import Skip, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
           "--disable-background-networking", "--remote-debugging-pipe")


def pipe():
    """Both ends far above the numbers that Chromium wants."""
    ends = []
    for low in os.pipe():
        ends.append(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 16))
        os.close(low)
    return ends


class Browser:
    """One page. What happens to it is kept in `events`, since the last open()."""

    def __init__(self, t, *options):
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            raise Skip("there is no Chromium on this machine")
        theirs_in, self._to = pipe()
        self._from, theirs_out = pipe()
        with open(t.dir / "chromium.log", "w", encoding="utf-8") as log:
            # The log first: it may be 3 or 4 itself.
            actions = [(os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                       (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                       (os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
            command = [path, *OPTIONS, *options, f"--user-data-dir={t.dir / 'chromium'}",
                       "about:blank"]
            environment = os.environ | {"HOME": str(t.dir)}
            self._pid = os.posix_spawn(path, command, environment, file_actions=actions,
                                       setpgroup=0)
        t.defer(self._end)
        os.close(theirs_in)
        os.close(theirs_out)
        self._read = b""
        self._number = 0
        self._session = None
        self.events = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def _end(self):
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)

    def _next(self, seconds):
        """The next message."""
        deadline = time.monotonic() + pace.slow(seconds)
        while b"\0" not in self._read:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._from], [], [], left)[0]
            expect(ready, f"nothing from Chromium within {seconds} s")
            piece = os.read(self._from, 1 << 20)
            expect(piece, "Chromium has ended")
            self._read += piece
        message, self._read = self._read.split(b"\0", 1)
        expect(message.startswith(b"{"), f"a message of Chromium: {message[:200]}")
        return json.loads(message)

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self._to, text):]
        while True:
            answer = self._next(20)
            if answer.get("id") == self._number:
                expect("error" not in answer, f"{method}: {answer}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path, width, scheme, height=900):
        """Loads a file into a window of that size, for who prefers that colour scheme."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=width < 600)
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self._call("Emulation.setEmulatedMedia", features=[preference])
        self.go(path.as_uri())

    def go(self, url):
        """Loads a page."""
        self.events.clear()
        self._call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next(20))

    def value(self, script):
        """What a JavaScript expression is worth on the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        expect("exceptionDetails" not in answer, f"{answer}")
        return answer["result"].get("value")

    def requests(self):
        """The URLs of what the page has asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What the console has as an error."""
        found = []
        for event in self.events:
            about = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(about["exceptionDetails"]["text"])
            if event["method"] == "Runtime.consoleAPICalled" and about["type"] == "error":
                found.append(str(about["args"]))
            if event["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                found.append(about["entry"]["text"])
        return found

    def screenshot(self, path):
        """The whole page as PNG."""
        data = self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
