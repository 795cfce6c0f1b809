"""Confirm: the question on the terminal before a request leaves.

In: a request that is about to leave, and the screen. Out: the person's answer. The question stands in inverse video
behind a mark that only this run has, on a screen that nothing else writes to meanwhile; keys pressed before it are
dropped. So nothing that model code prints can be taken for it, or answer it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from ..headless.progress import CLEARED
from ..headless.visible_text import on_one_line, visible

SHOWN_CHARS = 400
"""Characters of a prompt that are shown unasked."""
SHOWN_PROMPTS = 5
SHOWN_IMAGES = 20
KINDS = {
    "root": "the root model's conversation",
    "sub": "sub-calls",
    "compaction": "the conversation, to be summed up",
}
INVERSE, PLAIN = "\x1b[7m", "\x1b[0m"


class Screen:
    """The terminal's one writer. While a question is open, other text waits."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] | None = None

    @property
    def is_held(self) -> bool:
        """Whether a question is open."""
        return self._waiting is not None

    def write(self, text: str) -> None:
        """Write `text`, now or after the question that is open."""
        if self._waiting is None:
            self._stream.write(text)
        else:
            self._waiting.append(text)

    @contextmanager
    def held(self) -> Iterator[TextIO]:
        """The terminal for one question alone."""
        self._waiting = []
        try:
            yield self._stream
        finally:
            waiting, self._waiting = self._waiting, None
            self._stream.write("".join(waiting))
            self._stream.flush()


class Confirm:
    """Asks the person about each request; `on_egress` of a run.

    Args:
        screen: where the question stands.
        keyboard: file descriptor of the terminal's input.
    """

    def __init__(self, screen: Screen, keyboard: int | None = None) -> None:
        self._screen = screen
        self._keyboard = sys.stdin.fileno() if keyboard is None else keyboard
        self._mark = secrets.token_hex(2)

    async def __call__(self, request: Mapping[str, Any]) -> str:
        """`"allow"` for y or yes, `"deny"` for anything else; v shows the texts in full and asks again."""
        import termios  # Windows has none

        with self._screen.held() as terminal:
            terminal.write(f"{CLEARED}\n{summary(request)}")
            while True:
                termios.tcflush(self._keyboard, termios.TCIFLUSH)
                terminal.write(self._prompt(request))
                terminal.flush()
                word, _, number = (await self._line()).strip().lower().partition(" ")
                if word not in ("v", "view"):
                    return "allow" if word in ("y", "yes") else "deny"
                terminal.write(in_full(request["texts"], number))

    def _prompt(self, request: Mapping[str, Any]) -> str:
        more = f"v or v 1 to v {len(request['texts'])}" if len(request["texts"]) > 1 else "v"
        return f"{CLEARED}{INVERSE} pyodide-rlm {self._mark} {PLAIN} {more}: view in full. Send? [y/N] "

    async def _line(self) -> str:
        """The next line of the terminal; a run that is stopped meanwhile does not wait for it."""
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            if not line.done():
                line.set_result(os.read(self._keyboard, 4_096).decode(errors="replace"))

        loop.add_reader(self._keyboard, read)
        try:
            return await line
        finally:
            loop.remove_reader(self._keyboard)


def summary(request: Mapping[str, Any]) -> str:
    """Destination, count, size, price, and the end of the first texts, each line marked as the request's."""
    context, texts = request["context_chars"], request["texts"]
    price = "unknown" if request["price"] is None else f"about {request['price']:.4f} USD"
    kind = KINDS[request["kind"]]
    size = f"{request['chars']:,} characters ({request['bytes']:,} bytes), about {request['tokens']:,} tokens"
    lines = [
        f"To {on_one_line(request['to'])}: {kind}, {request['prompts']:,} prompts, {size}, price {price}.",
        f"Of the context {context['added']:,} characters would leave for the first time; "
        f"{context['left']:,} of {context['of']:,} have left.",
        *(f"  | {_end_of(text)}" for text in texts[:SHOWN_PROMPTS]),
    ]
    if len(texts) > SHOWN_PROMPTS:
        lines.append(f"  | ... and {len(texts) - SHOWN_PROMPTS:,} more prompts")
    images = request.get("images", ())
    lines += [f"  # {_about_image(image)}" for image in images[:SHOWN_IMAGES]]
    if len(images) > SHOWN_IMAGES:
        lines.append(f"  # ... and {len(images) - SHOWN_IMAGES:,} more images")
    return "\n".join(lines) + "\n"


def _about_image(image: Mapping[str, Any]) -> str:
    """An image in a line: its file and page as model code names them, its size, its digest."""
    source = on_one_line(image["source"]) or "made by code"
    page = "" if image["page"] is None else f", page {image['page']:,}"
    size = f"{image['width']:,} x {image['height']:,} px, {image['bytes']:,} bytes, {image['type']}"
    return f"image of prompt {image['prompt'] + 1:,}: {source}{page}, {size}, SHA-256 {image['sha256']}"


def in_full(texts: list[str], number: str) -> str:
    """All texts, or the one of that number, each line behind a bar."""
    chosen = [int(number) - 1] if number.isdecimal() and 0 < int(number) <= len(texts) else range(len(texts))
    parts = []
    for index in chosen:
        lines = "".join(f"  | {line}\n" for line in visible(texts[index]).split("\n"))
        parts.append(f"Text {index + 1} of {len(texts)}, {len(texts[index]):,} characters:\n{lines}")
    return "".join(parts)


def _end_of(text: str) -> str:
    """The end of a text, where its new part stands."""
    return on_one_line(text if len(text) <= SHOWN_CHARS else f"... {text[-SHOWN_CHARS:]}")
