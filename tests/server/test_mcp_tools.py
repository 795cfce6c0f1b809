"""Tools for agents over sessions that are played: roots, conversations, links, and code that is chosen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_core.types import Message, Reply
from rlm_server.headless.result import HeadlessResult, partial_result
from rlm_server.mcp import tools as tools_module
from rlm_server.mcp.tools import Tools
from rlm_server.providers.upstream import UpstreamCall, UpstreamError
from rlm_server.sandbox.chosen_code import ChosenCode, fenced

EVIDENCE = {"quote": "by the river", "source": "lease.txt", "status": "found", "line": 3, "page": None}
USAGE = {"openai:m": {"calls": 2, "input_tokens": 9, "output_tokens": 9, "cached_tokens": 0, "cost": 0.25}}


def result_of(answer: str) -> HeadlessResult:
    partial = partial_result([], detail="")
    fields = {name: getattr(partial, name) for name in HeadlessResult.__slots__}
    own = {"answer": answer, "stopped_by": "final_answer", "evidence": [EVIDENCE], "usage": USAGE}
    return HeadlessResult(**{**fields, **own})


class PlayedSession:
    """Answers each question with its text; code that is chosen prints its length."""

    def __init__(self, rlm: PlayedRLM, defaults: dict[str, Any]) -> None:
        self.rlm, self.defaults, self.is_closed = rlm, defaults, False
        self.asked: list[tuple[str, Any]] = []

    async def run(
        self, question: str, *, context: Any = None, on_event: Any = None, schema: Any = None, direct: bool = False
    ) -> HeadlessResult:
        self.asked.append((f"{question} (direct)" if direct else question, context))
        begun = on_event({"type": "iteration_started", "path": [], "iteration": 1, "seconds": 0.5})
        if begun is not None:
            await begun
        if question.startswith("Run code-"):
            observation = {"stdout": "printed\n", "value": "4", "error": None, "seconds": 0.1, "stdout_chars": 8}
            on_event({"type": "block_finished", "path": [], "observation": observation})
        return result_of(f"answer to {question}")

    async def close(self) -> None:
        self.is_closed = True


class PlayedRLM:
    def __init__(self) -> None:
        self.sessions: list[PlayedSession] = []

    def session(self, **defaults: Any) -> PlayedSession:
        self.sessions.append(PlayedSession(self, defaults))
        return self.sessions[-1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lease.txt").write_text("by the river")
    (tmp_path / "papers" / ".env").write_text("hidden")
    (tmp_path / "papers" / "to_hidden.txt").symlink_to(tmp_path / "papers" / ".env")
    (tmp_path / "secret.txt").write_text("outside")
    (tmp_path / "papers" / "out.txt").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "papers"


@pytest.fixture
def rlm() -> PlayedRLM:
    return PlayedRLM()


@pytest.fixture
def tools(root: Path, rlm: PlayedRLM) -> Tools:
    return Tools(rlm, [root], ChosenCode())  # type: ignore[arg-type]


def test_a_question_is_asked_over_the_files_and_its_evidence_has_links(
    tools: Tools, rlm: PlayedRLM, root: Path
) -> None:
    told: list[str] = []

    async def report(number: float, text: str) -> None:
        told.append(f"{number}: {text}")

    limits = {"max_iterations": 3}
    answer = asyncio.run(tools.ask("Where?", ["lease.txt"], limits=limits, report=report))
    assert (answer["answer"], answer["model_calls"], answer["cost"]) == ("answer to Where?", 2, 0.25)
    assert answer["evidence"][0]["link"] == f"file://{root.resolve()}/lease.txt#L3"
    assert rlm.sessions[0].asked == [("Where?", ((root / "lease.txt").resolve(),))]
    assert rlm.sessions[0].defaults == limits
    assert told == ["1: Iteration 1, 0.5 s"]


def test_a_link_of_an_answer_is_a_path(tools: Tools, rlm: PlayedRLM, root: Path) -> None:
    (root / "a b.txt").write_text("b")
    link = asyncio.run(tools.ask("Where?", ["lease.txt"]))["evidence"][0]["link"]
    asyncio.run(tools.ask("And?", [link, f"file://{root.resolve()}/a%20b.txt"]))
    assert rlm.sessions[1].asked == [("And?", ((root / "lease.txt").resolve(), (root / "a b.txt").resolve()))]


@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        "file:///etc/hostname",
        "file:///etc/hostname#L1",
        "file://",
        "../secret.txt",
        "out.txt",
        "gone.txt",
        "/etc/hostname",
        "..",
        ".env",
        "to_hidden.txt",
        "a\0b",
        "x" * 5_000,
    ],
)
def test_no_path_leads_out_of_the_roots_or_to_a_hidden_file(tools: Tools, rlm: PlayedRLM, path: str) -> None:
    with pytest.raises(ConfigError, match="is not under"):
        asyncio.run(tools.ask("Where?", [path]))
    with pytest.raises(ConfigError, match="is not under"):
        asyncio.run(tools.run_python("1", [path]))
    assert rlm.sessions == []


def test_a_folder_and_an_absolute_path_under_a_root_are_allowed(tools: Tools, root: Path) -> None:
    assert asyncio.run(tools.ask("Where?", ["."]))["answer"]
    assert asyncio.run(tools.ask("Where?", [str(root / "lease.txt")]))["answer"]


def test_an_unknown_limit_is_refused(tools: Tools) -> None:
    with pytest.raises(ConfigError, match=r"model is no limit\. Known are max_iterations"):
        asyncio.run(tools.ask("Where?", [], limits={"model": "openai:m"}))


def test_a_follow_up_is_asked_in_the_same_session(tools: Tools, rlm: PlayedRLM) -> None:
    async def main() -> None:
        first = await tools.ask("Where?", ["lease.txt"])
        second = await tools.follow_up(first["conversation"], "And when?")
        assert second["conversation"] == first["conversation"]
        assert second["evidence"][0]["link"].endswith("lease.txt#L3")
        with pytest.raises(ConfigError, match="there is no conversation 'other' any more"):
            await tools.follow_up("other", "What?")

    asyncio.run(main())
    assert [question for question, _ in rlm.sessions[0].asked] == ["Where?", "And when?"]


def test_a_question_is_one_direct_call_where_that_is_said(tools: Tools, rlm: PlayedRLM) -> None:
    async def main() -> None:
        first = await tools.ask("Where?", ["lease.txt"], direct=True)
        await tools.follow_up(first["conversation"], "When?", direct=True)
        await tools.follow_up(first["conversation"], "Who?")

    asyncio.run(main())
    assert [question for question, _ in rlm.sessions[0].asked] == ["Where? (direct)", "When? (direct)", "Who?"]


def test_the_conversation_used_longest_ago_is_closed_first(tools: Tools, rlm: PlayedRLM) -> None:
    async def main() -> None:
        ids = [(await tools.ask(f"{number}?", []))["conversation"] for number in range(4)]
        await tools.follow_up(ids[0], "Still there?")
        await tools.ask("5?", [])
        assert [session.is_closed for session in rlm.sessions] == [False, True, False, False, False]
        await tools.close()
        assert all(session.is_closed for session in rlm.sessions)

    assert tools_module.MOST_CONVERSATIONS == 4
    asyncio.run(main())


def test_python_runs_in_a_session_of_its_own_provider(tools: Tools, rlm: PlayedRLM) -> None:
    async def main() -> None:
        first = await tools.run_python("2 + 2", ["lease.txt"])
        assert (first["stdout"], first["value"], first["error"]) == ("printed\n", "4", None)
        await tools.run_python("_", [], conversation=first["conversation"])

    asyncio.run(main())
    assert rlm.sessions[0].defaults == {"model": "code:python", "sub_model": "code:python"}
    assert len(rlm.sessions) == 1
    assert len(rlm.sessions[0].asked) == 2


def replies(code: ChosenCode, *contents: tuple[str, str]) -> str:
    async def main() -> str:
        messages = tuple(Message(role, text) for role, text in contents)  # type: ignore[arg-type]
        pieces = [piece async for piece in code.stream(UpstreamCall(messages, "python"))]
        assert isinstance(pieces[-1], Reply)
        return pieces[-1].text

    return asyncio.run(main())


def test_chosen_code_is_the_first_reply_and_the_end_the_second() -> None:
    code = ChosenCode()
    with code.named("print(1)") as question:
        first = replies(code, ("system", "You are"), ("user", f"Question: {question}"))
        assert first == "```repl\nprint(1)\n```"
        assert "FINAL" in replies(code, ("user", question), ("assistant", first), ("user", "Output: 1"))
        with code.named("print(2)") as second:
            both = [("user", question), ("assistant", first), ("user", f"Next: {second}")]
            assert replies(code, *both) == "```repl\nprint(2)\n```"
    with code.named("print(3)") as third:
        assert replies(code, ("user", f"Question: {third} Earlier: {question}")) == "```repl\nprint(3)\n```"
    with pytest.raises(UpstreamError, match="No code waits under this name"):
        replies(code, ("user", question))


def test_a_fence_is_longer_than_any_in_the_code() -> None:
    assert fenced('print("""\n````\n""")').startswith("`````repl\n")


def test_a_conversation_is_continued_by_the_tool_that_began_it(tools: Tools, rlm: PlayedRLM) -> None:
    async def main() -> None:
        asked = await tools.ask("Where?", ["lease.txt"])
        ran = await tools.run_python("2 + 2", [])
        with pytest.raises(ConfigError, match="was begun by ask, and run_python has its own"):
            await tools.run_python("context", [], conversation=asked["conversation"])
        with pytest.raises(ConfigError, match="was begun by run_python, and ask has its own"):
            await tools.follow_up(ran["conversation"], "And when?")

    asyncio.run(main())
    assert [len(session.asked) for session in rlm.sessions] == [1, 1]


def test_a_conversation_that_fails_at_once_takes_the_place_of_none(
    tools: Tools, rlm: PlayedRLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(session: PlayedSession, question: str, **arguments: Any) -> None:
        raise ConfigError("schema is none.")

    async def main() -> None:
        first = await tools.ask("Where?", [])
        with monkeypatch.context() as patched:
            patched.setattr(PlayedSession, "run", fails)
            for _ in range(tools_module.MOST_CONVERSATIONS):
                with pytest.raises(ConfigError, match="schema is none"):
                    await tools.ask("What?", [], schema=7)
        await tools.follow_up(first["conversation"], "Still there?")

    asyncio.run(main())
    assert [session.is_closed for session in rlm.sessions] == [False, True, True, True, True]
