"""Firefox by WebDriver BiDi: a window, as the part of Playwright's `Page` that the tests' helpers use.

Playwright drives a patched Firefox of its own alone, and Selenium needs geckodriver; a Firefox as people have it
listens for BiDi itself.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websocket

SECONDS = 300
LISTENING = "WebDriver BiDi listening on "
CALL = """async (text) => {{
  const evaluated = (
{source}
  );
  const value = typeof evaluated === "function" ? await evaluated(JSON.parse(text)) : await evaluated;
  return JSON.stringify(value === undefined ? null : value);
}}"""


@dataclass(frozen=True)
class PageError:
    """An uncaught error of the page."""

    message: str
    stack: str

    def __str__(self) -> str:
        return self.message


class FirefoxPage:
    """The one window of a Firefox."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(f"{url}/session", timeout=SECONDS, suppress_origin=True)
        self._numbers = itertools.count(1)
        self._on_error: list[Callable[[PageError], object]] = []
        self._send("session.new", capabilities={})
        self._send("session.subscribe", events=["log.entryAdded"])
        self._context = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def goto(self, url: str) -> None:
        self._on_error.clear()
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def reload(self) -> None:
        self._send("browsingContext.reload", context=self._context, wait="complete")

    def on(self, event: str, listener: Callable[[Any], object]) -> None:
        """Hear of the page's uncaught errors, until it is left."""
        assert event == "pageerror"
        self._on_error.append(listener)

    def evaluate(self, source: str, argument: object = None) -> Any:
        """The value of an expression, or of a function of `argument`, as JSON; it has the page's realm."""
        function = CALL.format(source=source.strip().removesuffix(";"))
        told = self._send(
            "script.callFunction",
            functionDeclaration=function,
            arguments=[{"type": "string", "value": json.dumps(argument)}],
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if told["type"] == "exception":
            raise AssertionError(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    def screenshot(self, *, path: Path) -> None:
        told = self._send("browsingContext.captureScreenshot", context=self._context, origin="document")
        path.write_bytes(base64.b64decode(told["data"]))

    def close(self) -> None:
        self._send("browser.close")
        self._socket.close()

    def _send(self, method: str, **params: object) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                if message["type"] == "error":
                    raise AssertionError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        entry = message.get("params", {})
        if entry.get("type") == "javascript" and entry.get("level") == "error":
            frames = (entry.get("stackTrace") or {}).get("callFrames", [])
            error = PageError(entry["text"], "\n".join(frame["url"] for frame in frames))
            for listener in self._on_error:
                listener(error)


@contextmanager
def firefox_window(binary: str, profile: Path) -> Iterator[FirefoxPage]:
    """Start Firefox without a window on the screen; it ends with the block."""
    command = [binary, "--headless", "--remote-debugging-port=0", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith(LISTENING))
        page = FirefoxPage(said.removeprefix(LISTENING).strip())
        yield page
        page.close()
        process.wait(SECONDS)
    finally:
        process.kill()
        process.communicate()
