"""Tools: what an agent may do with the files under some folders, without the protocol.

In: a question or code, with paths under the roots that the user allowed. Out: JSON values. A conversation keeps its
REPL, so that a further question or further code finds the variables. The protocol is `server.py`.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from rlm_core import ConfigError
from rlm_core.limits import LIMITS

from ..headless.names import snake
from ..sandbox.chosen_code import MODEL, ChosenCode
from ..sandbox.execution import observed

if TYPE_CHECKING:
    from ..headless.browser_rlm import BrowserRLM, Session
    from ..headless.result import HeadlessResult

MOST_CONVERSATIONS = 4
"""Conversations that keep their REPL; the one that was used longest ago is closed first."""
LIMIT_NAMES = tuple(snake(facts.option) for facts in LIMITS)
Report = Callable[[float, str], Awaitable[object]]
"""Takes a number that grows, and a line about the progress."""


@dataclass(slots=True)
class _Conversation:
    session: Session
    names: dict[str, Path]
    """Name of each file in the REPL -> its path."""
    tool: str
    """The tool that began it: another one's session has another model."""


@dataclass(slots=True)
class Tools:
    """The tools of one agent.

    Attributes:
        roots: folders whose files may be read; relative paths begin in the first that has them.
        code: the provider of the server that `rlm` has.
    """

    rlm: BrowserRLM
    roots: Sequence[Path]
    code: ChosenCode
    _open: OrderedDict[str, _Conversation] = field(default_factory=OrderedDict)

    async def ask(
        self,
        question: str,
        paths: Sequence[str],
        *,
        schema: Any = None,
        limits: Mapping[str, Any] | None = None,
        direct: bool = False,
        report: Report | None = None,
    ) -> dict[str, Any]:
        """Answer `question` over the files at `paths`, in a new conversation; `direct` by one call over the whole.

        Raises:
            ConfigError: a path is not under the roots, or a limit is unknown.
            RLMError: the run failed.
        """
        for name in limits or {}:
            if snake(name) not in LIMIT_NAMES:
                raise ConfigError(f"{name} is no limit. Known are {', '.join(LIMIT_NAMES)}.")
        allowed = self._allowed(paths)
        id, conversation = await self._begin(self.rlm.session(**(limits or {})), allowed, "ask")
        async with self._begun(id):
            return await self._asked(id, conversation, question, tuple(allowed) or None, schema, report, direct=direct)

    async def follow_up(
        self,
        conversation: str,
        question: str,
        *,
        schema: Any = None,
        direct: bool = False,
        report: Report | None = None,
    ) -> dict[str, Any]:
        """Answer a further question over the same files and variables.

        Raises:
            ConfigError: there is no such conversation.
            RLMError: the run failed.
        """
        known = self._known(conversation, "ask")
        return await self._asked(conversation, known, question, None, schema, report, direct=direct)

    async def run_python(self, code: str, paths: Sequence[str], *, conversation: str = "") -> dict[str, Any]:
        """Run `code` in the contained REPL over the files at `paths`; in a `conversation` of its own, or a further time
        in one that it began.

        Raises:
            ConfigError: a path is not under the roots, or there is no such conversation.
            RLMError: the run failed.
        """
        allowed = self._allowed(paths)
        if conversation:
            known = self._known(conversation, "run_python")
            known.names.update(_names(allowed))
            return await self._run(conversation, known, code, allowed)
        id, begun = await self._begin(self.rlm.session(model=MODEL, sub_model=MODEL), allowed, "run_python")
        async with self._begun(id):
            return await self._run(id, begun, code, allowed)

    async def _run(self, id: str, conversation: _Conversation, code: str, paths: Sequence[Path]) -> dict[str, Any]:
        seen = await observed(conversation.session, self.code, code, context=tuple(paths) or None)
        shown = {name: seen.observation[name] for name in ("stdout", "value", "error", "seconds")}
        return {"conversation": id, **shown}

    async def close(self) -> None:
        """End all conversations."""
        while self._open:
            _, conversation = self._open.popitem()
            await conversation.session.close()

    async def _begin(self, session: Session, paths: Sequence[Path], tool: str) -> tuple[str, _Conversation]:
        while len(self._open) >= MOST_CONVERSATIONS:
            _, oldest = self._open.popitem(last=False)
            await oldest.session.close()
        id = secrets.token_hex(8)
        conversation = self._open[id] = _Conversation(session, _names(paths), tool)
        return id, conversation

    @asynccontextmanager
    async def _begun(self, id: str) -> AsyncIterator[None]:
        """The first question or code of a conversation, which ends where that fails: no agent knows it then."""
        try:
            yield
        except BaseException:
            if (failed := self._open.pop(id, None)) is not None:
                await failed.session.close()
            raise

    def _known(self, id: str, tool: str) -> _Conversation:
        if id not in self._open:
            raise ConfigError(
                f"there is no conversation {id!r} any more: {MOST_CONVERSATIONS} are kept. Begin another."
            )
        if self._open[id].tool != tool:
            raise ConfigError(
                f"the conversation {id!r} was begun by {self._open[id].tool}, and {tool} has its own. Begin another."
            )
        self._open.move_to_end(id)
        return self._open[id]

    async def _asked(
        self,
        id: str,
        conversation: _Conversation,
        question: str,
        context: object,
        schema: Any,
        report: Report | None,
        *,
        direct: bool,
    ) -> dict[str, Any]:
        async def on_event(event: Mapping[str, Any]) -> None:
            if report is not None and event["type"] == "iteration_started" and not event["path"]:
                await report(event["iteration"], f"Iteration {event['iteration']}, {event['seconds']:.1f} s")

        more: dict[str, Any] = {"direct": True} if direct else {}
        result = await conversation.session.run(question, context=context, schema=schema, on_event=on_event, **more)
        return shown_result(result, id, conversation.names)

    def _allowed(self, paths: Sequence[str]) -> list[Path]:
        return [self._resolved(text) for text in paths]

    def _resolved(self, text: str) -> Path:
        """The file or folder at `text`, which no link leads out of the roots; hidden ones are none of theirs."""
        roots = [root.resolve() for root in self.roots]
        named = _path_of(text)
        for root in roots if named else ():
            try:
                path = (root / named).resolve(strict=True)
            except (OSError, ValueError):
                continue
            if any(_is_open(path, each) for each in roots):
                return path
        where = ", ".join(map(str, roots))
        raise ConfigError(f"{text!r} is not under {where}, is hidden, or is not there. Name a path under these.")


def _path_of(text: str) -> str:
    """The path in `text`, which may be a link of an answer: `file:///docs/a%20b.txt#L3`."""
    if not text.startswith("file:///"):
        return text if text.strip() else ""
    return unquote(text.removeprefix("file://").partition("#")[0])


def _is_open(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and not any(part.startswith(".") for part in path.relative_to(root).parts)


def shown_result(result: HeadlessResult, id: str, names: Mapping[str, Path]) -> dict[str, Any]:
    """The result for an agent: the answer, its evidence with links, and the cost."""
    costs = [used["cost"] for used in result.usage.values()]
    return {
        "conversation": id,
        "answer": result.answer,
        "value": result.value,
        "stopped_by": result.stopped_by,
        "detail": result.detail,
        "evidence": [
            {name: item[name] for name in ("quote", "source", "status", "line", "page")}
            | {"link": link_of(item, names)}
            for item in result.evidence
        ],
        "model_calls": sum(used["calls"] for used in result.usage.values()),
        "cost": None if None in costs else round(sum(costs), 6),
    }


def link_of(item: Mapping[str, Any], names: Mapping[str, Path]) -> str | None:
    """The address of a quote's place, `None` where its file is not known."""
    path = names.get(item["source"] or "")
    if path is None and len(names) == 1 and item["source"] in (None, "context"):
        path = next(iter(names.values()))
    if path is None or item["status"] == "missing":
        return None
    place = f"#page={item['page']}" if item["page"] else f"#L{item['line']}" if item["line"] else ""
    return f"file://{quote(str(path))}{place}"


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    from ..headless.context_upload import read_folder

    names: dict[str, Path] = {}
    for path in paths:
        names |= dict(read_folder(path).files) if path.is_dir() else {path.name: path}
    return names
