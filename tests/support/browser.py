"""Headless Chromium, driven over the WebDriver protocol by Debian's chromedriver."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.world import wait_until

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def missing() -> str:
    """What keeps a browser from being used here; empty where nothing does."""
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            return f"{name} is not installed"
    try:
        socket.getaddrinfo("localhost", None)
    except OSError:
        return "localhost has no address, which chromedriver asks for: /etc/hosts is missing"
    return ""


class Browser:
    """One window of a browser with a new profile."""

    def __init__(self, directory: Path, *, dark: bool = False, width: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._session = ""
        wait_until(self._answers)
        options: dict[str, Any] = {
            "args": [
                *_ARGUMENTS,
                f"--user-data-dir={directory / 'profile'}",
                *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            ]
        }
        if width:
            metrics = {"width": width, "height": 844, "pixelRatio": 2.0, "touch": True}
            options["mobileEmulation"] = {"deviceMetrics": metrics}
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/session/{answer['sessionId']}"
        if not width:
            self._ask("POST", f"{self._session}/window/rect", {"width": 1400, "height": 900})

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self._ask("GET", "/status")["ready"])
        return False

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, file: Path) -> None:
        """Show a file, as a double click does."""
        self._ask("POST", f"{self._session}/url", {"url": file.as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a script returns in the page."""
        body = {"script": script, "args": list(arguments)}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def screenshot(self, file: Path) -> None:
        """Write what is to be seen as a PNG."""
        file.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def requests(self) -> list[str]:
        """The addresses of all that was asked for since the start."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What stands in the browser's console."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def close(self) -> None:
        """End it."""
        try:
            if self._session:
                self._ask("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(30)
