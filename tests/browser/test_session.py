"""Sessions of the public `RLM`: several questions over one REPL, in one worker."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.browser.lab import code, printed, run


def session(page: Page, replies: list[str | None], *questions: Any, **options: Any) -> Any:
    """Ask each of `questions`, a context or `None`, in one session."""
    asked: Any = [{"question": f"Q{number}?", "context": context} for number, context in enumerate(questions)]
    return run(page, replies, question=asked, options=options)


def test_five_questions_over_one_repl(shared_page: Page) -> None:
    replies: list[str | None] = [
        code("found = context.upper()\nFINAL(found)"),
        code("FINAL(found + str(context))"),
        code("FINAL((context_0, context_1, context is context_1, len(history_1)))"),
        code("FINAL(context['b.bin'].read_bytes())"),
        code("FINAL((str(context_2['b.bin']), context_2['b.bin'].read_bytes(), context))"),
    ]
    files = {"files": {"a.txt": "A", "b.bin": [255]}}
    result = session(shared_page, replies, "one", {"two": 2}, None, files, "five")
    assert [each["answer"] for each in result["results"]] == [
        "ONE",
        "ONE{'two': 2}",
        "('one', {'two': 2}, True, 2)",
        r"b'\xff'",
        r"('/context_3/b.bin', b'\xff', 'five')",
    ]
    assert all(each["stoppedBy"] == "final_answer" for each in result["results"])
    opening = result["posts"][-1]["messages"][1]["content"]
    assert "0. Q0?\n   Your answer: ONE" in opening


def test_a_question_that_ran_out_leaves_the_session_whole(shared_page: Page) -> None:
    replies: list[str | None] = [code("x = 1"), "No idea.", code("FINAL(x + 1)")]
    result = session(shared_page, replies, "a", "b", maxIterations=1)
    assert [(each["stoppedBy"], each["answer"]) for each in result["results"]] == [
        ("max_iterations", "No idea."),
        ("final_answer", "2"),
    ]


def test_a_stop_that_is_heeded_leaves_the_session_whole(shared_page: Page) -> None:
    replies: list[str | None] = [code("x = 1\nwhile True: pass"), code("FINAL(x + 1)")]
    result = session(shared_page, replies, "a", "b", maxTimeout=2_000)
    assert [each["stoppedBy"] for each in result["results"]] == ["max_seconds", "final_answer"]
    assert result["results"][1]["answer"] == "2"


def test_a_session_whose_worker_is_gone_says_so(shared_page: Page) -> None:
    stuck = "def again():\n    try:\n        while True: pass\n    except BaseException: again()\nagain()"
    result = session(shared_page, [code(stuck), code("FINAL(1)")], "a", "b", maxTimeout=1_000)
    first, second = result["results"]
    assert first["stoppedBy"] == "max_seconds"
    assert second["error"]["name"] == "ChannelError"
    assert "the session is over" in second["error"]["message"]


def test_a_long_conversation_is_compacted(shared_page: Page) -> None:
    replies: list[str | None] = [code("x = 7\nprint('long ' * 2_000)"), "It is in x.", code("FINAL((x, len(history)))")]
    result = run(shared_page, replies, options={"windowTokens": 2_000})
    assert result["answer"] == "(7, 4)"
    assert [len(post["messages"]) for post in result["posts"]] == [2, 5, 4]
    assert "long long" in printed(result)
