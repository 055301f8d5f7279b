"""A headless Chromium that a test can steer: its DevTools, spoken over two pipes, so that no port opens."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # refused to root otherwise; the pages are our own
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
)
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}
"""Each key's virtual code and the text it types."""
LOADED = "new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))"
# Chromium reads from 3 and writes to 4; the fds that are handed over are higher, so neither is overwritten.
WIRE = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def chromium() -> str:
    """The program, "" where there is none on the PATH."""
    return next(filter(None, map(shutil.which, NAMES)), "")


class Browser:
    """One tab; `calls` are the addresses that were asked for, `complaints` what its console said."""

    def __init__(self, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs[0], ours[1])]
        command = [sys.executable, "-c", WIRE, *map(str, high), chromium(), *SWITCHES]
        self.process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs[0], ours[1], *high):
            os.close(fd)
        self.reader, self.writer, self.sent, self.rest = ours[0], theirs[1], 0, b""
        self.calls: list[str] = []
        self.complaints: list[str] = []
        self.session = ""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session = ""
        with suppress(AssertionError, OSError):  # it may be gone before it answers
            self.do("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        self.process.wait()
        os.close(self.reader)
        os.close(self.writer)

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers to a command of its DevTools."""
        self.sent += 1
        number = self.sent
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        for answer in self._heard():
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
        raise AssertionError(f"the browser ended before it answered {method}")

    def _heard(self) -> Iterator[dict[str, Any]]:
        """Messages as they come; what is not an answer is noted."""
        while True:
            while b"\0" not in self.rest:
                if not (more := os.read(self.reader, 1 << 20)):
                    return
                self.rest += more
            line, _, self.rest = self.rest.partition(b"\0")
            message = json.loads(line)
            self._note(message.get("method", ""), message.get("params", {}))
            yield message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.calls.append(params["request"]["url"])
        if method in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(params))

    def open(self, page: Path, choice: str = "") -> None:
        """Load the page anew, at the choice that the address keeps behind its #."""
        # A number of its own: an address that differs behind the # alone would not be loaded again.
        self.do("Page.navigate", url=f"{page.as_uri()}?{self.sent}#{choice}")
        self.ask(LOADED)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            code, text = KEYS[key]
            stroke = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **stroke)
            self.do("Input.dispatchKeyEvent", type="keyUp", **stroke)

    @contextmanager
    def looking(self, width: int = 1100, height: int = 900, **features: str) -> Iterator[None]:
        """Through a window of this size in CSS pixels, with media features such as a dark scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.do("Emulation.setEmulatedMedia", features=wanted)
        try:
            yield
        finally:
            self.do("Emulation.clearDeviceMetricsOverride")
            self.do("Emulation.setEmulatedMedia", features=[])

    def screenshot(self) -> bytes:
        """The whole page as a PNG."""
        return base64.b64decode(self.do("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def printed(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self.do("Page.printToPDF")["data"])
