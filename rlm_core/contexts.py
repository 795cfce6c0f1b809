"""Contexts: descriptions of the data, for the model and the log; the data itself never leaves the REPL.

In: the context, any value. Out: a few bounded lines with its type, size, shape and beginning; or its fingerprint.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any

from . import documents, text_format
from .output import cut
from .types import Json

MAX_CHARS = 4_000
"""Characters of the longest description."""
BEGIN_CHARS = 1_200
"""Characters of a text's beginning that are shown."""
LINE_CHARS = 240
"""Characters of one of its lines."""
MAX_ITEMS = 12
"""Items of a list or keys of a dict that are shown."""
HASHED_WHOLE = 16 << 20
"""Characters or bytes up to which the fingerprint covers everything; larger data is hashed in samples."""
SAMPLES = 64
SAMPLE_SIZE = 64 << 10
MAX_KINDS = 6
"""Kinds of file, by suffix, that are counted in a pile of them."""


def describe(context: object, about: str | None = None) -> str:
    """Description of `context` for a model: type, size, shape, first lines; at most about `MAX_CHARS`.

    >>> describe("one\\ntwo")
    '`context` is a str of 7 characters in 2 lines. It begins:\\none\\ntwo'
    """
    shape = _shape(context, about)
    return cut(f"`context` is {_described(context)}", MAX_CHARS) + (f"\n{shape}" if shape else "")


def _shape(context: object, about: str | None) -> str:
    if isinstance(context, str):
        return "\n".join(filter(None, [text_format.of_text(context), about]))
    if about is not None:
        files = _shape_of_files(context) if isinstance(context, Mapping) else ""
        return "\n".join(filter(None, [files, about]))
    if isinstance(context, bytes | bytearray):
        return documents.shape_of(io.BytesIO(context), "io.BytesIO(context)")
    if isinstance(context, Mapping):
        return _shape_of_files(context)
    return _shape_of_file(context) if isinstance(context, PurePath) else ""


def _shape_of_file(path: PurePath) -> str:
    try:
        with open(path, "rb") as file:
            head = file.read(text_format.HEAD_CHARS + 1)
            bytes_ = file.seek(0, 2)
            if documents.is_text(head):
                text = head.decode("utf-8", "replace")
                return text_format.of_text(text, size=round(bytes_ * len(text) / len(head)) if head else 0)
            file.seek(0)
            return documents.shape_of(file, 'open(context, "rb")')
    except OSError:
        return ""


def _shape_of_files(files: Mapping[Any, Any]) -> str:
    """Counts of files by kind, where every key is a file's name and there are more than are listed."""
    suffixes = Counter(PurePath(name).suffix.lower() if isinstance(name, str) else "" for name in files)
    if len(files) <= MAX_ITEMS or "" in suffixes:
        return ""
    kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(MAX_KINDS))
    folders = len({PurePath(name).parent for name in files})
    rest = ", ..." if len(suffixes) > MAX_KINDS else ""
    return f"Its keys are names of files, in {_count(folders, 'folder')}: {kinds}{rest}."


def fingerprint(context: object, *, name: str = "context", among: int = 1) -> Mapping[str, Json]:
    """Facts of `context` for the log: name, type, size and SHA-256 where it has bytes to hash; never its text.

    Large text, bytes and files are hashed as `SAMPLES` pieces from beginning to end (`sha256_of_samples`): all of
    100 MB would keep the first question waiting for a second. Of a file that is one `among` many, less is read.
    """
    if isinstance(context, PurePath):
        return {"name": name, "type": "file", **_facts_of_file(context, max(2, SAMPLES // among))}
    facts: dict[str, Json] = {"name": name, "type": type(context).__name__}
    if isinstance(context, str | bytes | Sequence | Mapping):
        facts["size"] = len(context)
    if isinstance(context, str | bytes | bytearray) and len(context) > HASHED_WHOLE:
        facts["sha256_of_samples"] = _hash_of_samples(context)
    elif (data := _bytes(context)) is not None:
        facts["sha256"] = hashlib.sha256(data).hexdigest()
    return facts


def _hash_of_samples(context: str | bytes | bytearray) -> str:
    hashed = hashlib.sha256()
    for at in _sample_offsets(len(context), SAMPLES):
        hashed.update(_bytes(context[at : at + SAMPLE_SIZE]) or b"")
    return hashed.hexdigest()


def _sample_offsets(size: int, samples: int) -> list[int]:
    step = (size - SAMPLE_SIZE) / (samples - 1)
    return [round(number * step) for number in range(samples)]


def _facts_of_file(path: PurePath, samples: int) -> dict[str, Json]:
    """Size and hash of a file that is not loaded; nothing of one that cannot be read."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size <= samples * SAMPLE_SIZE:
                file.seek(0)
                return {"size": size, "sha256": hashlib.sha256(file.read()).hexdigest()}
            hashed = hashlib.sha256()
            for at in _sample_offsets(size, samples):
                file.seek(at)
                hashed.update(file.read(SAMPLE_SIZE))
            return {"size": size, "sha256_of_samples": hashed.hexdigest()}
    except OSError:
        return {}


def _bytes(context: object) -> bytes | None:
    if isinstance(context, str):
        return context.encode("utf-8", "surrogatepass")
    if isinstance(context, bytes | bytearray):
        return bytes(context)
    try:
        return json.dumps(context, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def _described(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray):
        return _binary(value)
    if isinstance(value, PurePath):
        return _file(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return _sequence(value)
    return f"a {_brief(value)}"


def _text(text: str) -> str:
    size = f"a str of {_count(len(text), 'character')} in {_lines(text)}."
    begin = _beginning(text)
    if not text or text.isspace():
        return size
    return f"{size} It begins:\n{begin}" if len(text) <= BEGIN_CHARS else f"{size} It begins:\n{begin}\n..."


def _lines(text: str) -> str:
    """Number of lines of `text`; an estimate when it is large."""
    lines, sure = text_format.count_lines(text)
    return _count(lines, "line") if sure else f"about {_count(lines, 'line')}"


def _beginning(text: str) -> str:
    """The first lines of `text`, bounded in number and length."""
    head = text[: BEGIN_CHARS * 4]
    lines = [line if len(line) <= LINE_CHARS else line[:LINE_CHARS] + "..." for line in head.split("\n")[:40]]
    return "\n".join(lines)[:BEGIN_CHARS]


def _binary(data: bytes | bytearray) -> str:
    kind = documents.kind_of(bytes(data[:16]))
    like = f"; it looks like {kind}" if kind else ""
    return f"a {type(data).__name__} of {_count(len(data), 'byte')}{like}. It begins {bytes(data[:80])!r}"


def _file(path: PurePath) -> str:
    """A file that is not loaded: its size, and its kind by its first bytes."""
    head, size = _head(path)
    if size is None:
        return f"a pathlib.Path, {str(path)!r}, which cannot be read."
    kind = documents.kind_of(head)
    file = f"a pathlib.Path of a file of {_count(size, 'byte')}, {str(path)!r}, not loaded"
    if not documents.is_text(head):
        return f"{file}. It looks like {kind}." if kind else f"{file}."
    return f"{file}: read it in pieces. It begins:\n{_beginning(head.decode('utf-8', 'replace'))}"


def _head(path: PurePath) -> tuple[bytes, int | None]:
    try:
        with open(path, "rb") as file:
            return file.read(BEGIN_CHARS * 4), file.seek(0, 2)
    except OSError:
        return b"", None


def _mapping(value: Mapping[Any, Any]) -> str:
    lines = [f"  {_short(key)}: {_brief(item)}" for key, item in islice(value.items(), MAX_ITEMS)]
    return _listed(f"a {type(value).__name__} of {_count(len(value), 'key')}", len(value), lines)


def _sequence(value: Sequence[Any]) -> str:
    kinds = " and ".join(sorted({type(item).__name__ for item in islice(value, 1_000)})[:4])
    texts = [len(item) for item in value if isinstance(item, str)]
    sizes = f" ({min(texts):,} to {max(texts):,} characters, {sum(texts):,} in all)" if len(texts) > 1 else ""
    lines = [f"  [{index}] {_brief(item)}" for index, item in enumerate(islice(value, MAX_ITEMS))]
    of = f", each a {kinds}" if kinds and " and " not in kinds else f", of {kinds}" if kinds else ""
    return _listed(f"a {type(value).__name__} of {_count(len(value), 'item')}{of}{sizes}", len(value), lines)


def _listed(title: str, count: int, lines: list[str]) -> str:
    if not lines:
        return title + "."
    rest = [f"  ... and {count - len(lines):,} more"] if count > len(lines) else []
    return "\n".join([title + ":", *lines, *rest])


def _count(number: int, noun: str) -> str:
    """`_count(1, "line")` is `1 line`, `_count(2000, "line")` is `2,000 lines`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _brief(value: object) -> str:
    """One line on a value inside the context: type, size and how it begins."""
    kind = type(value).__name__
    if isinstance(value, str | bytes | bytearray):
        size = _count(len(value), "character" if isinstance(value, str) else "byte")
        return f"{kind} of {size}: {value[:100]!r}{'...' * (len(value) > 100)}"
    if isinstance(value, PurePath):
        head, bytes_ = _head(value)
        if bytes_ is None:
            return f"Path {str(value)!r}"
        kind = documents.kind_of(head)
        return f"Path of a file of {_count(bytes_, 'byte')}{', ' * bool(kind)}{kind}"
    if isinstance(value, Mapping):
        keys = ", ".join(_short(key) for key in islice(value, 8))
        return f"{kind} of {_count(len(value), 'key')}: {keys}{', ...' * (len(value) > 8)}".removesuffix(": ")
    if isinstance(value, list | tuple | set | frozenset):
        return f"{kind} of {_count(len(value), 'item')}"
    return f"{kind}: {_short(value)}"


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, str) or len(value) <= 100 else repr(value[:100])
    return text if len(text) <= 120 else text[:120] + "..."
