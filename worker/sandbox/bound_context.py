"""Bound context: the values and files of a job as the value of `context`.

In: name, kind and bytes of each part; files are mounted already. Out: one value, or a dict of them by name; a text file
as a `str`, any other as a path. Fingerprints for the log, and sentences for the prompt.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from host_line import Bytes
from readers import ReadError, plain
from readers.about import about
from readers.kinds import kind_of
from readers.source import HEAD_BYTES, Source

from rlm_core import protocol
from rlm_core.contexts import fingerprint
from rlm_core.types import Evidence, Json

CONTEXT_FOLDER = Path("/context")
MAX_TEXT_FILES = 2_000
"""Files of a context that are read before a run; of more none is, as each takes half a millisecond."""
MAX_NAMED_FILES = 100
"""Files of a context of which the log holds a fingerprint each."""
TEXTS = frozenset(
    ("text", "csv", "json", "html", "ipynb", "srt", "vtt", "eml", "mbox", "mhtml", "rtf", "fodt", "xlsxml")
)
"""Kinds of file that are bound as a `str`, whatever their coding."""
MAILS = frozenset(("eml", "mbox", "mhtml"))
"""Kinds whose parts each have their own coding: bound as a path where the whole is not UTF-8."""


def bound(
    contexts: Sequence[tuple[str, str, Bytes | None]], session: int | None = None
) -> tuple[object, dict[str, str]]:
    """One value as itself, several files as a dict of name -> text or path; and the codings that are not UTF-8."""
    codings: dict[str, str] = {}
    parts = [(name, kind, data) for name, kind, data in contexts if kind != "mounted"]
    if not parts:
        return None, codings
    if len(parts) == 1:
        name, kind, data = parts[0]
        if kind != "file":
            return _decode(kind, data), codings
        value, _ = _file(_folder(session), name, protocol.MAX_TEXT_FILE_BYTES, codings)
        Source.name_texts({name: value} if isinstance(value, str) else {})
        return value, codings
    files = _files([name for name, _, _ in parts], _folder(session), codings)
    Source.name_texts({name: value for name, value in files.items() if isinstance(value, str)})
    return files, codings


def fingerprints(contexts: Sequence[tuple[str, str, Bytes | None]], context: Any) -> tuple[Mapping[str, Json], ...]:
    """One for each value by its own name, so that the one that changed can be named; of very many, one for all."""
    names = [name for name, kind, _ in contexts if kind != "mounted"]
    if len(names) == 1:
        return ({**fingerprint(context, name=names[0]), **_text_bytes(contexts)},)
    if len(names) > MAX_NAMED_FILES:
        return (fingerprint(context, name=f"{len(names)} files"),)
    return tuple(fingerprint(context[name], name=name, among=len(names)) for name in names)


def _text_bytes(contexts: Sequence[tuple[str, str, Bytes | None]]) -> Mapping[str, Json]:
    """Bytes of a JSON value's text, by which the ledger counts: the value's size is the number of its items."""
    sizes = [len(data.to_bytes()) for _, kind, data in contexts if kind == "json" and data is not None]
    return {"bytes": sizes[0]} if sizes else {}


def sentences(context: object, codings: Mapping[str, str]) -> str:
    """Sentences on the context's files; and from which coding its texts were decoded, where it was not UTF-8."""
    shown = ", ".join(f"{name} ({coding})" for name, coding in list(codings.items())[:20])
    decoded = f"Not UTF-8, decoded for you: {shown}{', ...' if len(codings) > 20 else ''}." if codings else ""
    return "\n".join(filter(None, [about(context), decoded]))


def in_bytes_of_files(evidence: Sequence[Evidence], codings: Mapping[str, str]) -> tuple[Evidence, ...]:
    """The evidence without positions in bytes where the file is not UTF-8."""
    return tuple(replace(item, byte_start=None, byte_end=None) if item.source in codings else item for item in evidence)


def _folder(session: int | None) -> Path:
    """Where the files of the question are mounted: each of a session has its own folder."""
    return CONTEXT_FOLDER.with_name(f"{CONTEXT_FOLDER.name}_{session}") if session else CONTEXT_FOLDER


def _decode(kind: str, data: Bytes | None) -> object:
    raw = data.to_bytes() if data is not None else b""
    if kind == "bytes":
        return raw
    if kind == "pickle":
        return pickle.loads(raw)
    text = raw.decode("utf-8", "surrogatepass")
    return json.loads(text) if kind == "json" else text


def _files(names: Sequence[str], folder: Path, codings: dict[str, str]) -> dict[str, str | Path]:
    room = protocol.MAX_TEXT_FILE_BYTES if len(names) <= MAX_TEXT_FILES else -1
    files: dict[str, str | Path] = {}
    for name in names:
        files[name], used = _file(folder, name, room, codings)
        room -= used
    return files


def _file(folder: Path, name: str, room: int, codings: dict[str, str]) -> tuple[str | Path, int]:
    """The text of a mounted file and its bytes; its path and 0 when it is no text, unreadable, or there is no room."""
    path = folder / name
    size = path.stat().st_size
    if size > room:
        return path, 0
    try:
        # Opened once: of thousands of small files that is the larger part of reading. Not buffered, and from the
        # beginning again: a large one is in memory once before it is decoded.
        with path.open("rb", buffering=0) as file:
            source = Source.begun(path, file.read(HEAD_BYTES))
            if (kind := kind_of(source)) not in TEXTS:
                return path, 0
            file.seek(0)
            text, coding = plain.decode(source.head) if size <= len(source.head) else plain.decode_file(file, size)
    except (ReadError, OSError):
        return path, 0
    if coding != "utf-8":
        if kind in MAILS:
            return path, 0
        codings[name] = coding
    return text, size
