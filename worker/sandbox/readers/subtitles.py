"""Subtitles (srt, vtt): the spoken text with a time before each cue; lines of a cue are joined."""

from __future__ import annotations

import re

from readers.plain import decode
from readers.source import Source

_TIMES = re.compile(r"((?:\d+:)?\d\d:\d\d)[,.]\d{3}\s+-->.*")
_SPEAKER = re.compile(r"<v(?:\.[\w.-]+)?\s+([^<>]+)>")
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>|<(?:\d+:)?\d\d:\d\d\.\d{3}>|\{\\[^{}]*\}")


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    cues = []
    for block in re.split(r"\n\s*\n", decode(source.content())[0].replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        at = next((index for index, line in enumerate(lines) if _TIMES.match(line)), None)
        if at is not None:
            said = (_SPEAKER.sub(r"\1: ", line) for line in lines[at + 1 :])
            words = " ".join(_TAGS.sub("", line).strip() for line in said)
            cues.append(f"[{_TIMES.match(lines[at])[1]}] {words}")  # type: ignore[index]
    return "\n".join(cues)
