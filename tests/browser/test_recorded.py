"""Recorded runs on the page: chosen, dropped, played and stepped through, without a server; and forked from there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import code, run, send_requests
from tests.browser.papers import pdf
from tests.browser.person import ENDED_MS, ScriptedModel, ask, ended
from tests.browser.test_accessibility import serious_violations

FOREIGN = Path(__file__).parents[1] / "golden" / "foreign"
FRAME_MS = 17
MOST_MS = 4_000
"""The longest time that a recording plays, and a little more."""
CONTEXT = "The harbour was built in 1871. Ada Lark was its first master."
REPLIES = [
    code("print(len(context))\nx = llm_query('Who?')"),
    code("print('<b>bold</b>', llm_batch(['a', 'b']))"),
    code("FINAL('Ada **Lark**')"),
]


@pytest.fixture(scope="module")
def recording(shared_page: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = run(shared_page, REPLIES, question="Who was it?", context=CONTEXT, options={"model": "some:model"})
    path = tmp_path_factory.mktemp("log") / "run.jsonl"
    path.write_text(result["trajectory"], encoding="utf-8")
    return path


@pytest.fixture
def calls(page: Page) -> list[str]:
    """Requests of the page to the server's interface, but for its list of models."""
    asked: list[str] = []
    send_requests(page)
    page.on("request", lambda request: asked.append(request.url) if "/api/rlm" in request.url else None)
    return asked


def choose(page: Page, path: Path) -> None:
    page.set_input_files("#recording-file", path)


def to_the_end(page: Page) -> None:
    expect(page.locator("#recording-play")).to_have_text("Play again", timeout=ENDED_MS)


def press(page: Page, selector: str) -> None:
    """Press a button of a page whose clock stands still, and let it draw once."""
    page.dispatch_event(selector, "click")
    page.clock.run_for(FRAME_MS)


def drop(page: Page, selector: str, path: Path) -> None:
    transfer = page.evaluate_handle(
        "([name, text]) => { const data = new DataTransfer(); data.items.add(new File([text], name)); return data; }",
        [path.name, path.read_text(encoding="utf-8")],
    )
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def test_a_recorded_run_is_played_to_its_answer_and_nothing_is_sent(
    page: Page, recording: Path, calls: list[str], faults: list[str]
) -> None:
    choose(page, recording)
    expect(page.locator("#answer")).to_contain_text("Ada Lark", timeout=ENDED_MS)
    expect(page.locator("#recording")).to_contain_text("Recorded run")
    expect(page.locator("#recording")).to_contain_text("run.jsonl, by some:model")
    expect(page.locator("#recording")).to_contain_text("date is not known; the file was last changed on")
    expect(page.locator("#asked")).to_have_text("Who was it?")
    expect(page.locator(".iteration")).to_have_count(3)
    expect(page.locator("#timeline")).to_contain_text("<b>bold</b>")
    expect(page.locator("#status")).to_contain_text("Answered")
    assert (calls, faults) == ([], [])


def test_it_is_stepped_through_iteration_by_iteration(page: Page, recording: Path) -> None:
    page.clock.install()
    choose(page, recording)
    while page.locator("#recording").count() == 0:
        page.clock.run_for(FRAME_MS)
    for shown in (1, 2, 3):
        press(page, "#recording-step")
        expect(page.locator(".iteration")).to_have_count(shown)
        expect(page.locator("#recording-play")).to_have_text("Play")
        expect(page.locator("#status")).to_contain_text("Paused")
    press(page, "#recording-end")
    expect(page.locator("#answer")).to_be_visible()
    press(page, "#recording-play")
    expect(page.locator("#answer")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text("Playing")
    page.clock.run_for(MOST_MS)
    expect(page.locator("#answer")).to_be_visible()
    press(page, "#recording-close")
    expect(page.locator("#recording")).to_have_count(0)
    expect(page.locator(".introduction")).to_be_visible()


def test_without_a_server_it_plays_all_the_same(page: Page, recording: Path, served: str) -> None:
    page.route("**/api/**", lambda route: route.abort())
    page.route("**/page/demo.jsonl", lambda route: route.fulfill(body=recording.read_text(encoding="utf-8")))
    page.goto(f"{served}/?recording=page/demo.jsonl")
    expect(page.locator("#answer")).to_contain_text("Ada Lark")
    expect(page.locator("#recording")).to_contain_text("Read from demo.jsonl, by some:model. Its date is not known.")


def test_usage_that_was_paid_earlier_and_that_of_a_summary_are_told_apart(
    page: Page, recording: Path, tmp_path: Path
) -> None:
    events = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    sub = next(event["call"] for event in events if event["type"] == "call_started" and event["kind"] == "sub")
    for event in events:
        if event["type"] == "call_finished" and event["call"] == 0:
            event["from_store"] = True
        if event["type"] == "call_started" and event["call"] == sub:
            event["kind"] = "compaction"
    log = tmp_path / "parts.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    page.emulate_media(reduced_motion="reduce")
    choose(page, log)
    page.click("#usage summary")
    for part in ("#usage-from-record", "#usage-of-compaction"):
        expect(page.locator(part)).to_contain_text("1 call, 3 tokens in, 2 out, cost unknown")


@pytest.mark.parametrize(
    ("address", "why"),
    [("https://elsewhere.example/run.jsonl", "only this site's own are played"), ("page/missing.jsonl", "status 404")],
)
def test_an_address_that_holds_no_recording_is_explained(page: Page, served: str, address: str, why: str) -> None:
    page.goto(f"{served}/?recording={address}")
    expect(page.locator("#recording-problem")).to_contain_text(why)


def test_a_bad_file_is_explained_with_its_line(page: Page, recording: Path, tmp_path: Path) -> None:
    lines = recording.read_text(encoding="utf-8").splitlines()
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join([*lines[:6], "{oops", *lines[7:]]), encoding="utf-8")
    choose(page, bad)
    expect(page.locator("#recording-problem")).to_contain_text("“bad.jsonl” cannot be played.")
    expect(page.locator("#recording-problem")).to_contain_text("Line 7 is no event of a trajectory: it is not JSON")
    expect(page.locator(".introduction")).to_be_visible()
    choose(page, recording)
    expect(page.locator("#recording-problem")).to_have_count(0)
    expect(page.locator("#answer")).to_be_visible()


def test_a_recording_that_was_cut_off_says_so(page: Page, recording: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text(recording.read_text(encoding="utf-8").rsplit("\n", 2)[0][:-30], encoding="utf-8")
    choose(page, cut)
    to_the_end(page)
    expect(page.locator("#run-problem")).to_contain_text("The recording ends here.")
    expect(page.locator(".notices")).to_contain_text("the last, was cut off and is left out")
    expect(page.locator("#status")).to_contain_text("Cut off")


def test_a_trajectory_dropped_beside_the_form_is_played_and_one_dropped_on_it_is_context(
    page: Page, recording: Path
) -> None:
    drop(page, "fieldset.context", recording)
    expect(page.locator(".attachments")).to_contain_text("run.jsonl")
    expect(page.locator("#recording")).to_have_count(0)
    drop(page, ".introduction", recording)
    expect(page.locator("#answer")).to_contain_text("Ada Lark")


RLMS = [
    {"type": "metadata", "root_model": "gpt", "max_depth": 1, "max_iterations": 5},
    {
        "type": "iteration",
        "iteration": 1,
        "prompt": [{"role": "user", "content": "Who?"}],
        "response": "I look.\n```repl\nprint(1)\n```",
        "code_blocks": [{"code": "print(1)", "result": {"stdout": "1\n", "stderr": "", "rlm_calls": []}}],
        "final_answer": 'Ada of rlms: "the lamp was lit by Ada" [1], "nobody ever wrote this line" [2]',
        "iteration_time": 1.5,
    },
]


def test_an_imported_log_plays_too(page: Page, tmp_path: Path) -> None:
    log = tmp_path / "rlms.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in RLMS), encoding="utf-8")
    choose(page, log)
    expect(page.locator("#recording-problem")).to_contain_text("pyodide-rlm import")
    command = [sys.executable, "-m", "rlm_server", "import", str(log)]
    imported = tmp_path / "imported.jsonl"
    imported.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout, encoding="utf-8")
    choose(page, imported)
    expect(page.locator("#answer")).to_contain_text("Ada of rlms")
    expect(page.locator("#recording")).to_contain_text("by gpt")
    book = tmp_path / "book.pdf"
    book.write_bytes(pdf("The lamp was dark.", "Then the lamp was lit by Ada."))
    page.set_input_files("#given-file", book)
    expect(page.locator("#given-said")).to_have_text("1 of 2 quotes found in 1 file.", timeout=ENDED_MS)
    expect(page.locator("#evidence li")).to_have_count(2)
    page.click("#answer .evidence-link >> nth=0")
    picture = page.locator("#evidence-1 .source-sheet img")  # drawn in a worker of its own
    expect(picture).to_have_attribute("alt", re.compile("book.pdf, page 2"), timeout=ENDED_MS)
    expect(page.locator("#evidence-2")).to_contain_text("not in the context")
    assert serious_violations(page) == []


def test_a_file_that_is_not_the_runs_is_named_and_the_right_one_opens(
    page: Page, shared_page: Page, tmp_path: Path
) -> None:
    quote = code("FINAL('Ada Lark [1]', evidence=['Ada Lark was its first master'])")
    result = run(shared_page, [quote], context={"files": {"harbour.txt": CONTEXT}})
    log, wrong, right = (tmp_path / name for name in ("run.jsonl", "other.txt", "harbour.txt"))
    log.write_text(result["trajectory"], encoding="utf-8")
    wrong.write_text("x")
    right.write_text(CONTEXT)
    choose(page, log)
    to_the_end(page)
    page.click("#evidence-1 button")
    expect(page.locator("#evidence-1")).to_contain_text("give the files of the run")
    page.set_input_files("#given-file", wrong)
    expect(page.locator("#given-said")).to_contain_text(
        "\u201cother.txt\u201d (1 byte) is none of the run's files: harbour.txt"
    )
    page.set_input_files("#given-file", right)
    expect(page.locator("#given-said")).to_have_text("1 of 1 quote found in 1 file.", timeout=ENDED_MS)
    expect(page.locator("#evidence-1 mark")).to_have_text("Ada Lark was its first master", timeout=ENDED_MS)


def test_logs_of_other_systems_are_opened_as_far_as_they_go(page: Page, calls: list[str], faults: list[str]) -> None:
    page.emulate_media(reduced_motion="reduce")
    for name, system in (
        ("dspy-3.4.1.json", "dspy.RLM"),
        ("fast-rlm-0.5.0.jsonl", "fast-rlm"),
        ("droste-0.26.0.ndjson", "droste"),
    ):
        choose(page, FOREIGN / name)
        expect(page.locator("#answer")).to_contain_text("Mara Lindqvist")
        expect(page.locator(".notices")).to_contain_text(f"This is a log of {system}, shown as far as it goes.")
        expect(page.locator("#recording")).to_contain_text(f"Read from {name}, by a model that the log does not name.")
        expect(page.get_by_role("button", name="Fork from here")).to_have_count(0)
    assert (calls, faults) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_recorded_run_has_no_serious_violation(page: Page, recording: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    choose(page, recording)
    expect(page.locator("#recording")).to_be_visible()
    assert serious_violations(page) == []
    to_the_end(page)
    expect(page.locator("#answer")).to_be_visible()
    assert serious_violations(page) == []


def test_a_person_who_wants_less_motion_sees_the_end_at_once(page: Page, recording: Path) -> None:
    page.emulate_media(reduced_motion="reduce")
    choose(page, recording)
    expect(page.locator("#answer")).to_be_visible()
    expect(page.locator("#recording-play")).to_have_text("Play again")


def test_a_run_may_begin_while_a_recorded_one_is_shown(page: Page, recording: Path) -> None:
    ScriptedModel(page, [code("FINAL('live')")])
    choose(page, recording)
    page.fill("#context-text", "x")
    ask(page)
    ended(page)
    expect(page.locator("#answer")).to_contain_text("live")
    expect(page.locator("#recording")).to_have_count(0)


def test_a_recorded_run_is_forked_with_the_question_and_model_of_the_form(
    page: Page, recording: Path, calls: list[str]
) -> None:
    ScriptedModel(page, [code("FINAL(x + ' again')")])
    choose(page, recording)
    to_the_end(page)
    page.fill("#context-text", CONTEXT)
    page.fill("#question", "And now?")
    page.click("role=button[name='Fork from here, iteration 2']")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("sub:Who? again")
    expect(page.locator("#asked")).to_have_text("And now?")
    expect(page.locator(".notices")).to_contain_text('Forked from iteration 2 of the run "Who was it?"')
    assert len(calls) == 1


def test_a_run_that_is_over_is_forked_and_the_wrong_context_is_named(page: Page, calls: list[str]) -> None:
    model = ScriptedModel(page, [code("x = 5"), code("FINAL(x)"), code("FINAL(x + 1)")])
    page.fill("#context-text", CONTEXT)
    ask(page)
    ended(page)
    page.fill("#context-text", "another")
    page.click("role=button[name='Fork from here, iteration 2']")
    named = f'The context differs: recorded was "context" (str, size {len(CONTEXT)}, '
    expect(page.locator("#fork-problem")).to_contain_text(named, timeout=ENDED_MS)
    expect(page.locator("#answer")).to_have_text(re.compile("5"))
    assert (len(calls), model.asked) == (2, 2)
    page.fill("#context-text", CONTEXT)
    page.click("role=button[name='Fork from here, iteration 2']")
    expect(page.locator("#answer")).to_have_text(re.compile("6"), timeout=ENDED_MS)
    expect(page.locator("#fork-problem")).to_have_count(0)
    assert (len(calls), model.asked) == (3, 3)


def test_the_code_of_an_iteration_is_edited_and_the_model_continues_with_it(page: Page, calls: list[str]) -> None:
    ScriptedModel(page, [code("x = 5\nprint(x)"), code("FINAL(x)"), code("FINAL(x + 1)")])
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or "") if "/api/rlm" in request.url else None)
    page.fill("#context-text", CONTEXT)
    ask(page)
    ended(page)
    page.focus("role=button[name='Edit the code, iteration 1']")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Python", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_value("x = 5\nprint(x)")
    assert serious_violations(page) == []
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    page.click("role=button[name='Edit the code, iteration 1']")
    field.fill("x = 50\nprint('edited', x)")
    field.press("Control+Enter")
    expect(page.locator("#answer")).to_have_text(re.compile("51"), timeout=ENDED_MS)
    expect(page.locator(".iteration").first).to_contain_text("edited 50")
    expect(page.locator(".notices")).to_contain_text("iteration 1 runs code that the user wrote")
    assert len(calls) == 3, "the iteration of the edited code is not paid for"
    assert "edited 50" in bodies[-1]
