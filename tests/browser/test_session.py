"""Sessions of the public `RLM`: several questions over one REPL, in one worker."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.browser.lab import STUCK, code, prepare, printed, run


def session(page: Page, replies: list[str | None], *questions: Any, stop_on: str = "", **options: Any) -> Any:
    """Ask each of `questions`, a context or `None`, in one session; the one that shows `stop_on` is stopped."""
    asked: Any = [{"question": f"Q{number}?", "context": context} for number, context in enumerate(questions)]
    return run(page, replies, question=asked, options=options, stopOn=stop_on)


def sub_prompts(result: Any) -> list[str]:
    return [post["prompt"] for post in result["posts"] if "prompt" in post]


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
    prepare(shared_page)
    result = session(shared_page, replies, "a", "b", maxTimeout=5_000)
    assert [each["stoppedBy"] for each in result["results"]] == ["max_seconds", "final_answer"]
    assert result["results"][1]["answer"] == "2"


def test_a_session_outlives_a_worker_that_did_not_heed_a_stop(shared_page: Page) -> None:
    replies: list[str | None] = [
        code("x = llm_query('one')"),
        code("y = 2\n" + STUCK),
        code("FINAL((x, 'y' in globals(), context_0, context))"),
        code("FINAL((x, context_1, len(history_0) > 2, history_1[-1]['role']))"),
    ]
    result = session(shared_page, replies, "a", "b", None, stop_on="def again")
    assert [each["stoppedBy"] for each in result["results"]] == ["cancelled", "final_answer", "final_answer"]
    assert [each["answer"] for each in result["results"][1:]] == [
        "('sub:one', False, 'a', 'b')",
        "('sub:one', 'b', True, 'user')",
    ]
    assert sub_prompts(result) == ["one"]
    assert len(result["posts"]) == len(replies) + 1
    assert "earlier questions rebuilt: 1" in result["results"][1]["log"]
    assert "rebuilt" not in result["results"][2]["log"]


def test_a_session_outlives_the_death_of_its_interpreter(shared_page: Page) -> None:
    replies: list[str | None] = [
        code("x = llm_query('one')"),
        code("import random\nz = random.random()\nFINAL(f'{x} {z}')"),
        code("y = llm_query('two')"),
        code("import os\nos._exit(3)"),
        code("FINAL((f'{x} {z}', y, context_0, context))"),
    ]
    result = session(shared_page, replies, "a", "b")
    first, second = result["results"]
    assert second["answer"] == f"('{first['answer']}', 'sub:two', 'a', 'b')"
    assert sub_prompts(result) == ["one", "two"]
    assert len(result["posts"]) == len(replies) + 2
    assert "its state is rebuilt" in second["log"].lower()


def test_a_stop_while_a_session_is_rebuilt_leaves_it_whole(shared_page: Page) -> None:
    replies: list[str | None] = [
        code("import time\nx = 0\ntime.sleep(1.5)\nx = 1\nFINAL(x)"),
        code("import os\nos._exit(3)"),
        code("FINAL(x + 1)"),
    ]
    result = session(shared_page, replies, "a", "b", "c", stop_on="Its state is rebuilt")
    assert [each["stoppedBy"] for each in result["results"]] == ["final_answer", "cancelled", "final_answer"]
    assert result["results"][2]["answer"] == "2"


def test_a_question_that_died_too_often_leaves_the_session_whole(shared_page: Page) -> None:
    fatal = code("import os\nos._exit(3)")
    replies: list[str | None] = [code("x = 1"), fatal, fatal, fatal, code("FINAL(x + 1)")]
    result = session(shared_page, replies, "a", "b")
    assert [each["stoppedBy"] for each in result["results"]] == ["worker_lost", "final_answer"]
    assert result["results"][1]["answer"] == "2"


def test_a_session_continues_after_the_logs_of_one_that_a_reload_ended(shared_page: Page) -> None:
    replies: list[str | None] = [
        code("x = llm_query('one')"),
        code("import random\nz = random.random()\nFINAL(f'{x} {z}')"),
        code("y = 5\nllm_query('two')"),
        code("y = 2\n" + STUCK),
        code("w = llm_query('three')\nFINAL(w)"),
    ]
    ended = session(shared_page, replies, "a", "b", None, stop_on="except BaseException")
    first, second, third = ended["results"]
    assert [first["stoppedBy"], second["stoppedBy"], third["stoppedBy"]] == [
        "final_answer",
        "cancelled",
        "final_answer",
    ]
    earlier: list[Any] = [{"log": first["log"], "context": "a"}, {"log": second["log"], "context": "b"}]
    asked = code("FINAL((f'{x} {z}', y, context_0, context, 'again' in globals(), history_0[-1]['role']))")
    cut = third["log"][: third["log"].index('"type":"call_finished"', third["log"].index('"kind":"sub"'))]
    resumed = run(
        shared_page,
        [asked],
        question=[{"question": "Q2?", "resume": cut[: cut.rindex("\n") + 1]}, {"question": "Q3?"}],
        earlier=earlier,
    )
    assert [each.get("answer") for each in resumed["results"]] == [
        "sub:three",
        f"('{first['answer']}', 5, 'a', 'b', False, 'user')",
    ]
    assert sub_prompts(resumed) == ["three"]
    assert "earlier questions rebuilt: 2" in resumed["results"][0]["log"]
    opening = resumed["posts"][-1]["messages"][1]["content"]
    assert f"0. Q0?\n   Your answer: {first['answer']}" in opening
    assert "2. Q2?\n   Your answer: sub:three" in opening
    other = run(shared_page, [], question=[{"question": "Q2?"}], earlier=[{"log": first["log"], "context": "abc"}])
    assert other["results"][0]["error"]["name"] == "ConfigError"
    assert '"context" (str, size 1) then, "context" (str, size 3) now' in other["results"][0]["error"]["message"]
    assert other["posts"] == []


def test_a_closed_session_says_so(shared_page: Page) -> None:
    shared_page.evaluate("import('/rlm/rlm.js').then(({ RLM }) => (window.over = new RLM({}).session()).close())")
    told = shared_page.evaluate("over.run('What?').catch(({ name, message }) => `${name}: ${message}`)")
    assert told == "ChannelError: the session is over: it was closed. Begin a new one."


def test_a_long_conversation_is_compacted(shared_page: Page) -> None:
    long = "x = 7\nllm_query('kept by the server')\nprint('long ' * 2_000)"
    replies: list[str | None] = [code(long), "It is in x.", code("FINAL((x, len(history)))")]
    result = run(shared_page, replies, options={"windowTokens": 2_000})
    assert result["answer"] == "(7, 4)"
    assert [len(post.get("messages", [])) for post in result["posts"]] == [2, 0, 5, 4]
    parts = ("usage", "usageOfCompaction", "usageFromRecord")
    assert [result[part]["root"]["calls"] for part in parts] == [4, 1, 1]
    assert "long long" in printed(result)
