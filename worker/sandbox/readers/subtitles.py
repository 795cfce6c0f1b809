"""Subtitles (srt, vtt): the spoken text with a time before each cue; lines of a cue are joined.

A blank line ends no cue, since words follow it in files that people wrote; a text without any cue is given as it is.
"""

from __future__ import annotations

import html
import re

from readers.plain import decode
from readers.source import Source

_TIMES = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d\d)(?:[,.]\d{1,3})?\s*-->")
_SPEAKER = re.compile(r"<v(?:\.[\w.-]+)?\s+([^<>]+)>")
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>|<(?:\d+:)?\d\d:\d\d\.\d{3}>|\{\\[^{}]*\}")
_NOTES = re.compile(r"(?:\AWEBVTT|(?<=\n\n)(?:NOTE|STYLE|REGION))\b[^\n]*(?:\n(?![^\n]*-->)[^\n]+)*")
"""Blocks of vtt that hold no spoken text."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    whole = decode(source.content())[0]
    lines = re.sub(r"\r\n?", "\n", whole)
    cues: list[tuple[str, list[str]]] = [("", [])]
    for line in (_NOTES.sub("", lines) if kind == "vtt" else lines).split("\n"):
        if times := _TIMES.match(line):
            _drop_name(cues[-1][1], is_first=len(cues) == 1)
            cues.append((f"[{times[1]}] ", []))
        else:
            cues[-1][1].append(line.strip())
    if len(cues) == 1:
        return whole
    words = [(time, " ".join(filter(None, (_words(line, kind) for line in said)))) for time, said in cues]
    return "\n".join(time + said for time, said in words if time or said)


def _drop_name(said: list[str], *, is_first: bool) -> None:
    """Take the number or the name of the next cue from the lines before it: it stands alone, or is a number."""
    if said and said[-1] and (said[-1].isdigit() or (len(said) > 1 and not said[-2]) or (is_first and len(said) == 1)):
        said.pop()


def _words(line: str, kind: str) -> str:
    words = _TAGS.sub("", _SPEAKER.sub(r"\1: ", line)).strip()
    return html.unescape(words) if kind == "vtt" else words
