"""Bridge: one run of the core in the worker, between the job that comes and the result that leaves.

In: a job as JSON, its contexts as bytes or mounted files, and the functions of the host's line. Out: the result as
JSON. Requests leave by `host_requests.py`, events by `outbox.py`. It runs on CPython too, with any object that has the
methods of `Line`.
"""

from __future__ import annotations

import json
import pkgutil
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

from bound_context import bound, fingerprints, in_bytes_of_files, sentences
from health import HEALTH as HEALTH
from health import check_health
from host_line import Bytes, Line, signalled
from host_requests import MAX_ANSWER_CHARS, BridgeProvider
from outbox import Outbox
from packages import Packages
from readers import ReadError, page_image, read, read_parts, tables
from waits import waiting_by

from rlm_core import Job, Limits, RunResult, Session, Tool, answer, documents
from rlm_core.console import entry
from rlm_core.output import DESCRIPTORS
from rlm_core.types import Observation, PastBlock, Shape

MAX_NAMED_PACKAGES = 40
"""Import names of a run's packages that the prompt names."""
PACKAGES = Packages(pkgutil.get_data(__name__, "pyodide-lock.json") or b"")
sys.meta_path.append(PACKAGES)
FUNCTIONS: dict[str, Callable[..., object]] = {
    "read": read,
    "read_parts": read_parts,
    "tables": tables,
    "page_image": page_image,
    "ReadError": ReadError,
}
_SESSION = Session()
"""The session of this worker, which serves one at most."""


def run(job: str, contexts: Sequence[tuple[str, str, Bytes | None]], line: Line) -> str:
    """Run `job` and return its `RunResult` as JSON."""
    outbox = Outbox(line)
    host = BridgeProvider(line, outbox.flush)
    before = signal.signal(signal.SIGINT, lambda number, frame: signalled(line, host.block_seconds))
    try:
        fields = json.loads(job)
        line.interruptible(False)
        PACKAGES.request = host.package
        chosen = fields.get("packages", ())
        PACKAGES.choose(chosen)
        if hasattr(line, "take_output"):
            DESCRIPTORS.take = _taking(line.take_output)
        context, codings = bound(contexts, fields.get("session"))
        wanted = replace(
            _job(fields, context, host),
            contexts=fingerprints(contexts, context),
            functions=FUNCTIONS,
            packages=_libraries(chosen),
            about=sentences(context, codings),
        )
        host.block_seconds = wanted.limits.max_block_seconds or 0.0
        # A replayed block draws the same numbers, and so asks the same.
        random.seed(f"{wanted.path} {fields.get('session') or None}")
        session = None if fields.get("session") is None or wanted.path else _SESSION
        start = host.start_children
        with waiting_by(host.pause) if hasattr(line, "pause") else nullcontext():
            if fields.get("console"):
                result = entry(wanted, session=session or Session(), emit=outbox.emit)
            else:
                result = answer(wanted, provider=host, emit=outbox.emit, start_children=start, session=session)
            result = replace(result, evidence=in_bytes_of_files(result.evidence, codings))
    except KeyboardInterrupt:  # between two blocks, where the core has no block to end
        result = RunResult("", 0, 0.0, stopped_by="cancelled", detail="The run was stopped.")
    except Exception:  # a fault of ours, unless the interpreter under it was changed
        check_health(line)
        raise
    PACKAGES.request = None
    line.interruptible(False)
    signal.signal(signal.SIGINT, before)
    outbox.flush()
    return _result_json(result)


def _taking(take_output: Callable[[], Bytes | None]) -> Callable[[], bytes]:
    def take() -> bytes:
        data = take_output()
        return b"" if data is None else data.to_bytes()

    return take


def _job(fields: dict[str, Any], context: object, host: BridgeProvider) -> Job:
    sub_tools = fields.get("sub_tools")
    return Job(
        question=fields["question"],
        context=context,
        model=fields["model"],
        sub_model=fields["sub_model"],
        limits=Limits(**fields["limits"]),
        sub_window_tokens=fields.get("sub_window_tokens"),
        sub_images=fields.get("sub_images", False),
        system_prompt=fields["system_prompt"],
        tools=_tools(fields["tools"], host),
        sub_tools=None if sub_tools is None else _tools(sub_tools, host),
        shape=None if fields.get("schema") is None else Shape(fields["schema"], host.differences),
        direct=fields.get("direct", False),
        path=tuple(fields.get("path", ())),
        past=tuple(_past(block) for block in fields.get("past", ())),
    )


def _past(block: Mapping[str, Any]) -> PastBlock:
    return PastBlock(block["iteration"], block["block"], Observation(**block["observation"]), block["lost"])


def _tools(tools: Sequence[Mapping[str, Any]], host: BridgeProvider) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            tool["name"], host.tool(tool["name"]) if tool["function"] else json.loads(tool["json"]), tool["description"]
        )
        for tool in tools
    )


def _libraries(chosen: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Packages for the prompt: those that it knows a purpose of, and the lock file has; and those of the run."""
    known = [name for name in documents.PACKAGES if name in PACKAGES.names()]
    added = [name for package in chosen for name in package["imports"] if not name.startswith("_")]
    return tuple(dict.fromkeys([*known, *added[:MAX_NAMED_PACKAGES]]))


def _result_json(result: RunResult) -> str:
    usage = {model: asdict(used) for model, used in result.usage.items()}
    fields = {name: getattr(result, name) for name in ("answer", "iterations", "seconds", "stopped_by", "detail")}
    if len(result.answer) > MAX_ANSWER_CHARS:
        cut = f"The answer is cut: {MAX_ANSWER_CHARS:,} of {len(result.answer):,} characters are kept."
        fields |= {"answer": result.answer[:MAX_ANSWER_CHARS], "detail": f"{result.detail} {cut}".strip()}
    fault = None if result.fault is None else asdict(result.fault)
    value = result.value if result.value is None or len(result.value) <= MAX_ANSWER_CHARS else None
    evidence = [asdict(item) for item in result.evidence]
    return json.dumps({**fields, "usage": usage, "fault": fault, "value": value, "evidence": evidence})
