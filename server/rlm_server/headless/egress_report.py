"""Egress report: the text that left the tab, as a file.

In: `egress` events in their JSON form. Out: one JSON object for a whole run.

The file: `{"to": [destinations], "calls": n, "denied": n, "unused": n, "bytes": n, "chars": n, "context": {"chars": n,
"size": n, "share": x | null}, "entries": [event, ...]}`. Sums are of the calls that left; `unused` are those of them
that left ahead, and whose reply no code asked for. Each entry is the event as it is in the trajectory, with the `kind`,
the `images` and the `ahead` of its call; see `rlm_core.events.Egress`.
"""

from __future__ import annotations

import json
from typing import Any


class EgressReport:
    """Adds up the `egress` events of a run."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Take any event; types other than calls and egress are passed over."""
        if event["type"] == "call_started":
            images = [{**image, "data": None} for image in event.get("images", ())]
            self._calls[event["call"]] = {"kind": event["kind"], "images": images, "ahead": event.get("ahead")}
        elif event["type"] == "egress":
            self._entries.append(event | self._calls[event["call"]])

    def text(self) -> str:
        """The file's text, with the entries so far."""
        sent = [entry for entry in self._entries if entry["denied"] is None]
        chars, size = (sent[-1]["left_chars"], sent[-1]["context_size"]) if sent else (0, 0)
        account = {
            "to": sorted({entry["to"] for entry in sent}),
            "calls": len(sent),
            "denied": len(self._entries) - len(sent),
            "unused": sum(entry["ahead"] == "unused" for entry in sent),
            "bytes": sum(entry["bytes"] for entry in sent),
            "chars": sum(entry["chars"] for entry in sent),
            "context": {"chars": chars, "size": size, "share": chars / size if size else None},
            "entries": self._entries,
        }
        return json.dumps(account, ensure_ascii=False, indent=1) + "\n"
