"""Result: how a headless run ended, for Python and as JSON.

In: the page's outcome as JSON text; or, where the browser was lost, the events so far. Out: a `HeadlessResult`.
`result.schema.json` beside this file is the schema of `to_json`; `write_schema()` writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from rlm_core import ModelUsage
from rlm_core.types import CheckedBy, EvidenceStatus, StoppedBy

from .answer_displays import displayed_values
from .names import snake_keys
from .notebook import result_html

SCHEMA = Path(__file__).with_name("result.schema.json")
SHOWN_CHARS = 60
PIXELS_PER_TOKEN = 750
USEFUL_SIDE = 1_568


class UsageJson(TypedDict):
    """Use of one model. Tokens are the provider's own count; `cost` is US dollars, null where a price is unknown."""

    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float | None


class DestinationJson(TypedDict):
    """Calls to one destination; `to` is all of it as a line, `host` the class of the machine behind the server."""

    to: str
    origin: str
    provider: str | None
    model: str | None
    host: str | None
    calls: int
    bytes: int
    chars: int
    images: int
    image_bytes: int
    image_tokens: int
    context_chars: int


class EgressJson(TypedDict):
    """Text and images that left the tab. `unused` calls left ahead, and no code asked for their reply. `context_chars`
    counts each character of the context once; `share` needs a context; `image_tokens` are estimated."""

    calls: int
    denied: int
    unused: int
    bytes: int
    chars: int
    images: int
    image_bytes: int
    image_tokens: int
    destinations: list[DestinationJson]
    context_chars: int
    context_size: int
    share: float | None
    unsearched: list[str]


class FaultJson(TypedDict):
    """The failure behind `provider_error`, as facts."""

    type: str
    status: int | None
    retryable: bool
    upstream: str | None


class EvidenceJson(TypedDict):
    """A quote and its place: [start, end) in characters, and in bytes of UTF-8 where the source is text; line and page
    count from 1. `checked_by` is `host` where the page has compared the place with its own text."""

    quote: str
    source: str | None
    status: EvidenceStatus
    start: int | None
    end: int | None
    byte_start: int | None
    byte_end: int | None
    line: int | None
    page: int | None
    sheet: str | None
    difference: str | None
    checked_by: CheckedBy


class NumberJson(TypedDict):
    """A number of the answer, [start, end) in characters."""

    text: str
    start: int
    end: int


class ChecksJson(TypedDict):
    """Numbers of the answer that occur in no output, sub-reply or quote, and whether a quote stands in the context."""

    numbers: list[NumberJson]
    supported: bool


class ResultJson(TypedDict):
    """The object that `pyodide-rlm run --json` prints. `total_time` is seconds, the worker's start included. `value` is
    null without a schema, and where the run ended without a value that fits it."""

    answer: str
    value: Any
    evidence: list[EvidenceJson]
    checks: ChecksJson
    iterations: int
    total_time: float
    usage: dict[str, UsageJson]
    usage_by_path: dict[str, dict[str, UsageJson]]
    usage_from_record: dict[str, UsageJson]
    usage_of_compaction: dict[str, UsageJson]
    egress: EgressJson
    stopped_by: StoppedBy
    detail: str
    fault: FaultJson | None


@dataclass(frozen=True, slots=True)
class HeadlessResult:
    """Result of a run.

    Attributes:
        answer: the final answer, or the best partial one when `stopped_by` is not `"final_answer"`; may be empty.
        value: the answer as a value that fits the run's schema, an instance where that was a model of pydantic; `None`
            without one, and where the run ended without such a value.
        evidence: quotes that the model gave with its answer, each looked for in the context.
        checks: `numbers` of the answer that nobody computed, and whether it is `supported` by a quote.
        iterations: replies of the root model that were used.
        total_time: seconds, the worker's start included.
        usage: model -> calls, tokens and cost (`None`: unknown) of the whole tree of runs.
        usage_by_path: path in the tree (`""` is the root, `"0.2"` a child of a child) -> the usage of that run alone.
        usage_from_record: the part of `usage` that was paid earlier: answered by the log of a resumed, replayed or
            forked run, or by the server, which had kept the reply. The rest was paid now.
        usage_of_compaction: the part of `usage` that summed up a conversation which filled the window; no sub-calls.
        egress: sums of the text that left the tab; in a session, of all its questions so far.
        detail: one sentence when the run did not end with a final answer.
        fault: the failure when `stopped_by` is `"provider_error"`.
        trajectory: the log, one JSON object a line.
    """

    answer: str
    value: Any
    evidence: Sequence[Mapping[str, Any]]
    checks: Mapping[str, Any]
    iterations: int
    total_time: float
    usage: Mapping[str, Any]
    usage_by_path: Mapping[str, Mapping[str, Any]]
    usage_from_record: Mapping[str, Any]
    usage_of_compaction: Mapping[str, Any]
    egress: Mapping[str, Any]
    stopped_by: StoppedBy
    detail: str
    fault: Mapping[str, Any] | None
    trajectory: str

    def __repr__(self) -> str:
        answer = self.answer if len(self.answer) <= SHOWN_CHARS else f"{self.answer[:SHOWN_CHARS]}..."
        return (
            f"HeadlessResult({answer!r}, stopped_by={self.stopped_by!r}, iterations={self.iterations}, "
            f"total_time={self.total_time:g})"
        )

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        return result_html(self)

    @property
    def displayed(self) -> list[dict[str, Any]]:
        """The values that model code displayed for the answer: those of the last iteration, and earlier ones whose
        title the answer names. `kind` is table (`columns`, `rows`), image (`type`, `data`), json (`value`) or markdown
        (`text`).
        """
        return displayed_values(self.trajectory, self.answer)

    def to_json(self) -> dict[str, Any]:
        """All but the trajectory, as `ResultJson`."""
        from pydantic_core import to_jsonable_python

        names = ResultJson.__annotations__
        return {**{name: getattr(self, name) for name in names}, "value": to_jsonable_python(self.value)}


def result_of(ok: Mapping[str, Any]) -> HeadlessResult:
    """The page's result, in Python's spelling and units."""
    return HeadlessResult(
        answer=ok["answer"],
        value=None if ok["valueJson"] is None else json.loads(ok["valueJson"]),
        evidence=[snake_keys(item) for item in ok["evidence"]],
        checks=ok["checks"],
        iterations=ok["iterations"],
        total_time=ok["totalTime"] / 1_000,
        usage=ok["usage"],
        usage_by_path=ok["usageByPath"],
        usage_from_record=ok["usageFromRecord"],
        usage_of_compaction=ok["usageOfCompaction"],
        egress={
            **snake_keys(ok["egress"]),
            "destinations": [snake_keys(total) for total in ok["egress"]["destinations"]],
        },
        stopped_by=ok["stoppedBy"],
        detail=ok["detail"],
        fault=ok["fault"],
        trajectory=ok["trajectory"],
    )


def partial_result(events: Sequence[Mapping[str, Any]], *, detail: str) -> HeadlessResult:
    """The result of a run whose browser is gone, from the events that arrived: its best partial answer."""
    root = [event for event in events if event["path"] == []]
    partials = [event["partial"] for event in root if event["type"] == "block_finished" and event.get("partial")]
    by_path: dict[str, dict[str, ModelUsage]] = {}
    from_store: dict[str, ModelUsage] = {}
    compaction: dict[str, ModelUsage] = {}
    called: dict[int, Mapping[str, Any]] = {}
    for event in events:
        if event["type"] == "call_started":
            called[event["call"]] = event
        elif event["type"] == "call_finished" and event["usage"] is not None:
            call = called.get(event["call"], {})
            parts = [by_path.setdefault(".".join(map(str, call.get("path", []))), {})]
            parts += [from_store] if event.get("from_store") else []
            parts += [compaction] if call.get("kind") == "compaction" else []
            for used in parts:
                used[event["model"]] = used.get(event["model"], ModelUsage()) + ModelUsage(**event["usage"])
    return HeadlessResult(
        answer=partials[-1] if partials else "",
        value=None,
        evidence=[],
        checks={"numbers": [], "supported": False},
        iterations=sum(event["type"] == "iteration_finished" for event in root),
        total_time=max((event["seconds"] for event in events), default=0.0),
        usage=_usage_json(_summed(by_path.values())),
        usage_by_path={path: _usage_json(used) for path, used in by_path.items()},
        usage_from_record=_usage_json(from_store),
        usage_of_compaction=_usage_json(compaction),
        egress=_egress_of(events),
        stopped_by="cancelled",
        detail=detail,
        fault=None,
        trajectory="".join(json.dumps(event) + "\n" for event in events),
    )


def _summed(parts: Any) -> dict[str, ModelUsage]:
    whole: dict[str, ModelUsage] = {}
    for part in parts:
        for model, used in part.items():
            whole[model] = whole.get(model, ModelUsage()) + used
    return whole


def _usage_json(usage: Mapping[str, ModelUsage]) -> dict[str, dict[str, Any]]:
    names = UsageJson.__annotations__
    return {model: {name: getattr(used, name) for name in names} for model, used in usage.items()}


def _egress_of(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    calls = {event["call"]: event for event in events if event["type"] == "call_started"}
    entries = [{**event, **_of_call(calls.get(event["call"], {}))} for event in events if event["type"] == "egress"]
    sent = [entry for entry in entries if entry["denied"] is None]
    left, size = (sent[-1]["left_chars"], sent[-1]["context_size"]) if sent else (0, 0)
    return {
        "calls": len(sent),
        "denied": len(entries) - len(sent),
        "unused": sum(entry["ahead"] == "unused" for entry in sent),
        "bytes": sum(entry["bytes"] for entry in sent),
        "chars": sum(entry["chars"] for entry in sent),
        **_images_of(sent),
        "destinations": _destinations(sent),
        "context_chars": left,
        "context_size": size,
        "share": left / size if size else None,
        "unsearched": [],
    }


def _of_call(started: Mapping[str, Any]) -> dict[str, Any]:
    return {"images": started.get("images", ()), "ahead": started.get("ahead")}


def _images_of(sent: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Their number, bytes, and tokens as the page estimates them (`tokensOf` in image_facts.js)."""
    images = [image for entry in sent for image in entry["images"]]
    sides = [(image["width"] or USEFUL_SIDE, image["height"] or USEFUL_SIDE) for image in images]
    return {
        "images": len(images),
        "image_bytes": sum(entry.get("image_bytes", 0) for entry in sent),
        "image_tokens": sum(math.ceil(width * height / PIXELS_PER_TOKEN) for width, height in sides),
    }


def _destinations(sent: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Totals by destination; an event holds the host's class in its line only, so that it is not known here."""
    totals: dict[str, dict[str, Any]] = {}
    for entry in sent:
        to, model = entry["to"], entry["model"]
        named = {
            "to": to,
            "origin": to.partition(" ")[0],
            "provider": model and model.partition(":")[0],
            "model": model,
        }
        none = dict.fromkeys(("calls", "bytes", "chars", "images", "image_bytes", "image_tokens", "context_chars"), 0)
        total = totals.setdefault(to, {**named, "host": None, **none})
        total["calls"] += 1
        for name, number in _images_of([entry]).items():
            total[name] += number
        total["bytes"] += entry["bytes"]
        total["chars"] += entry["chars"]
        total["context_chars"] += entry["new_chars"]
    return list(totals.values())


def schema() -> str:
    """The JSON Schema of `ResultJson`, as text."""
    from pydantic import TypeAdapter

    return json.dumps(TypeAdapter(ResultJson).json_schema(), indent=2) + "\n"


def write_schema() -> None:
    """Bring `result.schema.json` up to date; a test fails when it is not."""
    SCHEMA.write_text(schema(), encoding="utf-8")
