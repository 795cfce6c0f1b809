"""Egress report: the text that leaves the tab, for a person: as a file, and as a question on the terminal.

In: `egress` events in their JSON form, or a request that is about to leave. Out: one JSON object for a whole run; or
the person's answer.

The file: `{"to": [destinations], "calls": n, "denied": n, "bytes": n, "chars": n, "context": {"chars": n, "size": n,
"share": x | null}, "entries": [event, ...]}`. Sums are of the calls that left. Each entry is the event as it is in the
trajectory, with the `kind` of its call; see `rlm_core.events.Egress`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

SHOWN_CHARS = 400
"""Characters of a prompt that are shown before the question."""
SHOWN_PROMPTS = 5
KINDS = {
    "root": "the root model's conversation",
    "sub": "sub-calls",
    "compaction": "the conversation, to be summed up",
}


class EgressReport:
    """Adds up the `egress` events of a run."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._kinds: dict[int, str] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Take any event; types other than calls and egress are passed over."""
        if event["type"] == "call_started":
            self._kinds[event["call"]] = event["kind"]
        elif event["type"] == "egress":
            self._entries.append(event | {"kind": self._kinds[event["call"]]})

    def text(self) -> str:
        """The file's text, with the entries so far."""
        sent = [entry for entry in self._entries if entry["denied"] is None]
        chars, size = (sent[-1]["left_chars"], sent[-1]["context_size"]) if sent else (0, 0)
        account = {
            "to": sorted({entry["to"] for entry in sent}),
            "calls": len(sent),
            "denied": len(self._entries) - len(sent),
            "bytes": sum(entry["bytes"] for entry in sent),
            "chars": sum(entry["chars"] for entry in sent),
            "context": {"chars": chars, "size": size, "share": chars / size if size else None},
            "entries": self._entries,
        }
        return json.dumps(account, ensure_ascii=False, indent=1) + "\n"


async def confirmed(request: dict[str, Any]) -> str:
    """Show the texts of `request`, and ask the person on the terminal; anything but yes is no."""
    sys.stderr.write(question(request))
    sys.stderr.flush()
    answer = (await _line()).strip().lower()
    return "allow" if answer in ("y", "yes") else "deny"


def question(request: dict[str, Any]) -> str:
    """The lines that are shown, the question last."""
    context, texts = request["contextChars"], request["texts"]
    price = "unknown" if request["price"] is None else f"about {request['price']:.4f} USD"
    kind = KINDS[request["kind"]]
    lines = [
        f"\nTo {request['to']}: {kind}, {request['prompts']:,} prompts, {request['chars']:,} characters, "
        f"about {request['tokens']:,} tokens, price {price}.",
        f"Of the context {context['added']:,} characters would leave for the first time; "
        f"{context['left']:,} of {context['of']:,} have left.",
        *(f"  | {_shown(text)}" for text in texts[:SHOWN_PROMPTS]),
    ]
    if len(texts) > SHOWN_PROMPTS:
        lines.append(f"  | ... and {len(texts) - SHOWN_PROMPTS:,} more prompts")
    return "\n".join([*lines, "Send? [y/N] "])


def _shown(text: str) -> str:
    """The end of a text, where its new part stands; control characters are written out."""
    tail = text if len(text) <= SHOWN_CHARS else f"... {text[-SHOWN_CHARS:]}"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in tail)


async def _line() -> str:
    """The next line of the terminal; a run that is stopped meanwhile is not kept by it."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, read)
    try:
        return await line
    finally:
        loop.remove_reader(sys.stdin)
