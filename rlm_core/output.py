"""Output: text of any length, kept in bounded memory.

In: a block's output, as it is printed. Out: its head and tail, with the number of characters cut from the middle.
"""

from __future__ import annotations

import io
import sys
from _thread import get_ident
from collections.abc import Callable

LIVE_CHARS = 1_000_000
"""Characters of one block's output that are shown live; the rest is only counted and kept as head and tail."""


def cut(text: str, max_chars: int, *, total: int | None = None) -> str:
    """Keep the head and the tail of `text`, at most `max_chars` of it, with a line between them that counts the rest.

    Args:
        text: any length.
        max_chars: most characters of `text` to keep; the line between is not counted.
        total: length of the text before it was first cut; by default its length now.

    >>> cut("abcdefghij", 4)
    'ab\\n[... 6 of 10 characters not shown ...]\\nij'
    """
    if len(text) <= max_chars:
        return text
    head = text[: max_chars - max_chars // 2]
    return head + gap(max_chars, len(text) if total is None else total) + _last(text, max_chars // 2)


def gap(shown: int, total: int) -> str:
    """The line in place of the cut middle."""
    return f"\n[... {total - shown:,} of {total:,} characters not shown ...]\n"


def _last(text: str, chars: int) -> str:
    return text[max(0, len(text) - chars) :]


class Output:
    """Output of one block, stdout and stderr in the order written.

    Args:
        max_chars: most characters to keep, half of them from the beginning and half from the end.
        on_text: called with each piece as it is written, up to `LIVE_CHARS` in all.
    """

    def __init__(self, max_chars: int, on_text: Callable[[str], object]) -> None:
        self.chars = 0
        self._max_chars = max_chars
        self._on_text = on_text
        self._head_room = max_chars - max_chars // 2
        self._tail_room = max_chars // 2
        self._head: list[str] = []
        self._tail: list[str] = []
        self._tail_chars = 0

    def write(self, text: str) -> None:
        """Take one more piece of output."""
        live = text[: max(0, LIVE_CHARS - self.chars)]
        self.chars += len(text)
        self._keep(text)
        if live:
            self._on_text(live)

    def text(self) -> str:
        """Everything written, or its head and tail with the count of the rest."""
        head, tail = "".join(self._head), "".join(self._tail)
        if self.chars <= self._max_chars:
            return head + tail
        return head + gap(self._max_chars, self.chars) + _last(tail, self._tail_room)

    def _keep(self, text: str) -> None:
        if self._head_room:
            self._head.append(text[: self._head_room])
            text = text[self._head_room :]
            self._head_room -= len(self._head[-1])
        if text:
            self._tail.append(_last(text, 2 * self._tail_room))
            self._tail_chars += len(self._tail[-1])
        if self._tail_chars > 4 * self._tail_room:
            self._tail = [_last("".join(self._tail), 2 * self._tail_room)]
            self._tail_chars = len(self._tail[0])


class Descriptors:
    """Bytes that model code writes to the file descriptors 1 and 2, past `sys.stdout`, where the host collects them.

    Attributes:
        take: the bytes since it was called last; without a host that collects them there are never any.
    """

    def __init__(self) -> None:
        self.take: Callable[[], bytes] = bytes

    def begin(self) -> None:
        """Drop bytes from before a block."""
        self.take()

    def show(self, output: Output) -> None:
        """Write the bytes that came since the last call to `output`; those that are not UTF-8 as escapes."""
        if data := self.take():
            output.write(data.decode("utf-8", "backslashreplace"))

    def end(self, output: Output) -> None:
        """Show the last bytes of a block, those in the interpreter's own streams included."""
        if self.take is bytes:
            return
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None and not stream.closed:
                stream.flush()
        self.show(output)


DESCRIPTORS = Descriptors()


class Stream(io.TextIOBase):
    """`sys.stdout` and `sys.stderr` of model code, in all blocks: a handler made in one works in the next.

    Attributes:
        outputs: thread -> the output of the block that it runs. Text of another thread goes to the only block, if one
            runs alone; without any it is dropped.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.outputs: dict[int, Output] = {}

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        output = self.outputs.get(get_ident()) or self._only_one()
        if text and output is not None:
            DESCRIPTORS.show(output)
            output.write(str.__str__(text))
        return len(text)

    def _only_one(self) -> Output | None:
        running = list(self.outputs.values())
        return running[0] if len(running) == 1 else None

    def reconfigure(self, **options: object) -> None:
        """Ignore `options`: the text is kept as it is, whatever the encoding."""

    def close(self) -> None:
        """Stay open, for the next block."""

    @property
    def buffer(self) -> Bytes:
        """Takes bytes, as `sys.stdout.buffer` does."""
        return Bytes(self)


class Bytes(io.RawIOBase):
    """Bytes written to a `Stream`; bytes that are not UTF-8 are shown as escapes."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


class NoInput(io.TextIOBase):
    """`sys.stdin` of model code: reading raises, as nobody can type."""

    name = "<stdin>"

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> str:
        raise EOFError("nobody can type here: input() and sys.stdin give nothing. Work from `context`.")

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        return self.read()

    def close(self) -> None:
        """Stay open: `exit()` closes stdin on its way out."""
