"""Plain readers: `read` for plain text, where the browser's readers are not there: in a replay by `rlm_core`.

In: a `Path`, bytes or text. Out: the text, as the readers of the worker give it for plain text in UTF-8, JSON and CSV.
Any other use of theirs ends the block, and the replay with a sentence that names the function and the remedy.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from .errors import StopRun

_OTHER_SUFFIXES = (".eml", ".htm", ".html", ".ipynb", ".mbox", ".mht", ".mhtml", ".srt", ".vtt", ".xhtml")
_OTHER_BEGINNINGS = re.compile(
    rb"%PDF|PK\x03\x04|\{\\rtf|WEBVTT|From |\s*<|\s*\d+\r?\n\d\d:\d\d:\d\d|(?:[A-Za-z-]+:[^\n]*\n){3}"
)
PART_CHARS = 4 << 20
"""Characters of a part of a text, where model code names no number."""
_NOTEBOOK_CHARS = 2_000
"""Characters at either end of a notebook, within which it says that it is one."""


class ReadError(Exception):
    """A file cannot be read: the class that model code catches."""


class PlainReaders:
    """The worker's functions for files, as far as they need none of its readers.

    Attributes:
        missing: why the replay cannot go on, a sentence; empty as long as it can.
    """

    def __init__(self) -> None:
        self.missing = ""

    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Name in the REPL -> function or class."""
        return {
            "read": self._read,
            "read_parts": self._read_parts,
            "tables": lambda *args, **kwargs: self._end("tables"),
            "page_image": lambda *args, **kwargs: self._end("page_image"),
            "ReadError": ReadError,
        }

    def _read(self, file: Path | bytes | str, pages: int | Iterable[int] | None = None) -> str:
        data, suffix = _content(file)
        if suffix in _OTHER_SUFFIXES or _OTHER_BEGINNINGS.match(data):
            self._end("read")
        try:
            text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        except UnicodeDecodeError:
            self._end("read")
        if "\0" in text or '"nbformat"' in text[:_NOTEBOOK_CHARS] + text[-_NOTEBOOK_CHARS:]:
            self._end("read")
        return file if isinstance(file, str) else text

    def _read_parts(self, file: Path | bytes | str, chars: int = PART_CHARS) -> Iterator[str]:
        check_chars(chars)
        yield from parts_of(self._read(file), chars)

    def _end(self, name: str) -> str:
        self.missing = (
            f"the recorded code calls `{name}` on more than plain text, for which only the worker in the browser has "
            "readers. Replay the log there: pyodide-rlm replay FILE --context ..."
        )
        raise StopRun


def check_chars(chars: int) -> None:
    """Check the size of a part, in characters.

    Raises:
        ValueError: it is less than 1.
    """
    if chars < 1:
        raise ValueError(f"chars is {chars:,}: a part has at least one character. Leave it out for {PART_CHARS:,}.")


def parts_of(text: str, chars: int) -> Iterator[str]:
    """`text` in parts of about `chars` characters that end at line ends.

    >>> list(parts_of("one\\ntwo\\nthree", 5))
    ['one\\n', 'two\\n', 'three']
    """
    start = 0
    while start < len(text):
        end = text.rfind("\n", start, start + chars) + 1 or text.find("\n", start + chars) + 1 or len(text)
        yield text[start:end]
        start = end


def _content(file: object) -> tuple[bytes, str]:
    """Bytes and suffix of a file of the context.

    Raises:
        ReadError: it is none, or cannot be opened.
    """
    if isinstance(file, str):
        return file.encode("utf-8", "surrogatepass"), ""
    if isinstance(file, bytes | bytearray | memoryview):
        return bytes(file), ""
    if not isinstance(file, Path):
        raise ReadError(f"a {type(file).__name__} is no file. Give a Path of the context, bytes, or a str.")
    try:
        return file.read_bytes(), file.suffix.lower()
    except OSError as fault:
        raise ReadError(f"{file.name} cannot be opened: {fault.strerror or type(fault).__name__}.") from None
