"""Event stream: the JSON values of a reply, whatever form its bytes have.

In: chunks of bytes, split anywhere. Out: JSON values, each with the name of its event. The forms are told apart by the
bytes alone, since servers label them wrongly:

    data: {...}        server-sent events, with or without blank lines, ended by LF, CRLF or CR, over several lines
    {...}\\n{...}       one value a line
    {...}              one value, on one line or many
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..json_text import json_in

DONE: Final = "[DONE]"
"""The value that ends a stream of OpenAI's dialect."""
COMPLETE = ("}", "]", '"')
_WORDS = re.compile(r"\S\s+\S")
"""More than one word: no sign of life."""


class NotJson(ValueError):
    """The bytes are in none of the forms; `web_page` where they are HTML, `cut` where a value has no end."""

    def __init__(self, message: str, *, web_page: bool = False, cut: bool = False) -> None:
        super().__init__(message)
        self.web_page = web_page
        self.cut = cut


@dataclass(frozen=True, slots=True)
class Event:
    """One value of a stream. `name` is the event's name where it has one."""

    value: object
    name: str = ""


class EventReader:
    """The values of one stream, each as soon as it is whole; bytes that are not UTF-8 become U+FFFD.

    It holds the state between two chunks: the open line, and the open value as `data:` lines or as bare JSON. Each of
    its methods raises `NotJson` where the bytes are in none of the forms.
    """

    def __init__(self) -> None:
        self.line: list[bytes] = []
        self.after_cr = False
        self.is_first = True
        self.name = ""
        self.data: list[str] = []
        self.json: list[str] = []
        self.values = 0
        self.unread = 0
        self._fault: NotJson | None = None

    def read(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes."""
        if self.after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self.after_cr = chunk.endswith(b"\r") if chunk else self.after_cr
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = chunk.split(b"\n")
        events: list[Event] = []
        self._raise()
        try:
            for line in whole:
                events += self._read_line(_text([*self.line, line]) if self.line else line.decode(errors="replace"))
                self.line = []
        except NotJson as fault:
            if not events:
                raise
            self._fault = fault  # raised by the next call: what came before it may hold the end
        if rest:
            self.line.append(rest)
        return events

    def pause(self) -> list[Event]:
        """The event that is whole although nothing ends its line."""
        self._raise()
        line = _text(self.line)
        if not line.rstrip().endswith(COMPLETE):
            return []
        value = json_in("\n".join([*self.json, line]))
        if value is None:
            return []
        self.json, self.line = [], []
        return [self._event(value)]

    def end(self) -> list[Event]:
        """The events that the end completes."""
        self._raise()
        events = self._read_line(_text(self.line)) if self.line else []
        events += self._dispatched(at_end=True)
        if self.json:
            text = "\n".join(self.json)
            if (value := json_in(text)) is not None:
                return [*events, self._event(value)]
            raise NotJson(f"of {len(text):,} characters is not JSON", cut=bool(self.values))
        if self.unread and not self.values:
            raise NotJson(f"of {self.unread:,} characters is not JSON")
        return events

    def _raise(self) -> None:
        """Raise the fault behind the last events."""
        if self._fault is not None:
            raise self._fault

    def _read_line(self, line: str) -> list[Event]:
        if not (self.json or self.data or self.is_first):  # nearly all lines are one of these two
            if not line:
                return []
            if line.startswith("data: {"):
                return self._read_data_line(line.rstrip()[6:])
        if self.is_first:
            line, self.is_first = line.removeprefix("\ufeff"), False
        if not self.values and not self.json and line.lstrip().startswith("<"):
            raise NotJson("is a web page", web_page=True)
        if line.strip().upper() == DONE and not self.data and not self.json:
            return [self._event(DONE)]
        if self.json or (not self.data and line.lstrip().startswith(("{", "["))):
            return self._read_json_line(line)
        if not line:
            return self._dispatched(at_end=False)
        name, _, rest = line.strip().partition(":") if not self.data else line.partition(":")
        name = name.rstrip().lower()
        if name == "data":
            return self._read_data_line(_unwrapped(rest.removeprefix(" ")))
        if name == "event":
            self.name = rest.strip()
        elif name == "error" and rest.strip():
            self.name = name
            return self._read_data_line(rest.strip())
        elif name not in ("", "id", "retry"):
            self.unread += len(line)
        return []

    def _read_json_line(self, line: str) -> list[Event]:
        """One value a line, or one value over many: its last line begins with the bracket that closes it."""
        self.json.append(line)
        if len(self.json) > 1 and not line.startswith(("}", "]")):
            return []
        value = json_in("\n".join(self.json))
        if value is None:
            return []
        self.json = []
        return [self._event(value)]

    def _read_data_line(self, line: str) -> list[Event]:
        self.data.append(line)
        text = "\n".join(self.data).strip()
        is_done = len(text) == len(DONE) and text.upper() == DONE
        value: object = DONE if is_done else json_in(text) if text.endswith(COMPLETE) else None
        if value is None:
            return []
        self.data = []
        return [self._event(value)]

    def _dispatched(self, *, at_end: bool) -> list[Event]:
        """The event that a blank line ends: one that is whole was dispatched before."""
        text, self.data = "\n".join(self.data).strip(), []
        if text and self.name == "error":
            return [self._event(text)]
        if text.startswith(("{", "[", '"')):
            raise NotJson(f"of {len(text):,} characters is not JSON", cut=at_end and bool(self.values))
        self.unread += 0 if text.startswith(":") or not _WORDS.search(text) else len(text)
        return []  # nothing, a comment, or a sign of life

    def _event(self, value: object) -> Event:
        self.values += 1
        name, self.name = self.name, ""
        return Event(value, name)


def _unwrapped(rest: str) -> str:
    """The data of an event that proxies wrapped once more each: `data: data: {...}`."""
    while rest.startswith("data:"):
        rest = rest[5:].removeprefix(" ")
    return rest


def _text(parts: list[bytes]) -> str:
    return b"".join(parts).decode(errors="replace")
