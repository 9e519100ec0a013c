"""A headless Chromium to look at a page with: driven through two pipes, by the protocol of its developer tools."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds in which an answer must come."""


def chromium() -> str | None:
    """The browser of this machine, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One open browser with one page."""

    def __init__(self, read: int, write: int) -> None:
        self._read = read
        self._write = write
        self._rest = b""
        self._count = 0
        self._session: str | None = None
        self.told: list[dict[str, Any]] = []
        """What the page said on its console, and what the browser had to say of it."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session: str = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = session
        for domain in ("Page", "Log", "Runtime", "Network", "Accessibility"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **about: Any) -> dict[str, Any]:
        """Call a method and give its result."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": about}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda told: told.get("id") == number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, path: Path) -> float:
        """Open a file; the seconds until it is loaded."""
        self.told.clear()
        began = time.monotonic()
        answer = self.ask("Page.navigate", url=path.absolute().as_uri())
        assert "errorText" not in answer, answer
        if not any(told.get("method") == "Page.loadEventFired" for told in self.told):
            self._until(lambda told: told.get("method") == "Page.loadEventFired")
        # Only what is drawn can be read: the next frame is there when this answers.
        self.value("document.documentElement.getBoundingClientRect().height")
        return time.monotonic() - began

    def complaints(self) -> list[str]:
        """Errors and warnings of the page, and requests for anything but itself."""
        found = []
        for told in self.told:
            about = told.get("params", {})
            match told.get("method"):
                case "Log.entryAdded":
                    found.append(str(about["entry"]["text"]))
                case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                    found.append(json.dumps(about)[:300])
                case "Network.requestWillBeSent" if about.get("type") != "Document":
                    found.append(str(about["request"]["url"]))
        return found

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def width(self, pixels: int) -> None:
        """Make the window so wide."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=pixels,
            height=900,
            deviceScaleFactor=1,
            mobile=pixels < 600,
        )

    def dark(self) -> None:
        """Prefer a dark page."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _until(self, wanted: Any) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while True:
            message, found, self._rest = self._rest.partition(b"\0")
            if not found:
                self._rest = message + os.read(self._read, 1 << 20)
                assert time.monotonic() < end
                continue
            told: dict[str, Any] = json.loads(message)
            if "id" not in told:
                self.told.append(told)
            if wanted(told):
                return told


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser whose profile lies in a folder; it is gone in the end."""
    program = chromium()
    assert program is not None
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()
    for number in (command_read, answer_write):
        os.set_inheritable(number, True)
    options = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"),
        *(f"--user-data-dir={folder}", "--disable-dev-shm-usage", "--disable-background-networking"),
    )
    # The browser reads from 3 and writes to 4; whatever numbers ours have.
    script = f'exec "$@" 3<&{command_read} 4>&{answer_write}'
    process = subprocess.Popen(
        ["bash", "-c", script, "sh", program, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
    )
    os.close(command_read)
    os.close(answer_write)
    try:
        yield Browser(answer_read, command_write)
    finally:
        os.close(command_write)
        process.terminate()
        process.wait()
        os.close(answer_read)
