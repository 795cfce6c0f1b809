"""The page, in Chromium, over the real server and worker; only the model is scripted, where its calls leave the tab.

Each test drives the page as a person does: it types, drops, presses keys, and reads what is shown.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.lab import send_requests
from tests.browser.person import ENDED_MS, ScriptedModel, ask, code, drop_file, ended, tab_to

HOSTILE = """\
<script>window.hacked = 1</script><img src="https://evil.example/a.png" onerror="window.hacked = 2">

![remote](https://evil.example/b.png) [click](javascript:window.hacked=3) [data](data:text/html,<script>1</script>)

<svg onload="window.hacked = 4"><use href="https://evil.example/c.svg#x"/></svg>
<link rel="prefetch" href="https://evil.example/d"><iframe src="https://evil.example/e"></iframe>
<div style="background: url(https://evil.example/f)">styled</div><form action="https://evil.example/g"></form>

[a link](https://evil.example/h?secret=1)
"""


def test_an_empty_question_is_explained_beside_its_box(page: Page) -> None:
    page.fill("#context-text", "kept")
    page.click("#run")
    expect(page.locator("#question-problem")).to_contain_text("There is no question yet.")
    expect(page.locator("#question")).to_be_focused()
    expect(page.locator("#context-text")).to_have_value("kept")
    page.fill("#question", "Now?")
    expect(page.locator("#question-problem")).to_have_count(0)


def test_a_dropped_file_is_asked_about_and_iterations_arrive_before_the_end(page: Page) -> None:
    model = ScriptedModel(page, [code("print(len(context))"), code("FINAL('**eleven**')")], hold=[1])
    drop_file(page, "notes.txt", "hello world")
    expect(page.locator("#context-privacy")).to_contain_text("notes.txt, 11 bytes")
    ask(page)
    expect(page.locator(".iteration").first).to_contain_text("11", timeout=ENDED_MS)
    expect(page.locator(".iteration .code .hljs-built_in").first).to_have_text("print")
    expect(page.locator("#status")).to_contain_text("Thinking")
    expect(page.locator(".iteration")).to_have_count(2)
    model.release()
    ended(page)
    expect(page.locator("#answer strong")).to_have_text("eleven")
    expect(page.locator("#announcer")).to_contain_text("The answer is ready after 2 iterations.")


def test_the_stand_in_answers_over_pasted_text_and_is_labelled(page: Page) -> None:
    expect(page.locator("#stand-in")).to_contain_text("A stand-in, not a language model.")
    filler = "The weather in the valley was mild and nobody wrote anything of note. " * 40
    page.fill("#context-text", f"{filler}\nThe vault was opened by Mara Lindqvist in 1931.\n{filler}")
    ask(page, "Who opened the vault?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("Mara Lindqvist")


def test_output_is_shown_while_its_block_still_runs_and_stop_keeps_the_partial_answer(page: Page) -> None:
    spin = "answer['content'] = 'so far: 7'\nprint('begun')"
    ScriptedModel(page, [code(spin), code("print('spinning')\nwhile True: pass")])
    page.fill("#context-text", "text")
    ask(page)
    expect(page.locator(".iteration .output").last).to_contain_text("spinning", timeout=ENDED_MS)
    page.keyboard.press("Escape")
    ended(page)
    expect(page.locator("#run-problem")).to_contain_text("You stopped this run.")
    expect(page.locator("#answer")).to_contain_text("so far: 7")
    expect(page.locator("#question")).to_have_value("How many?")


def test_a_server_that_is_gone_is_explained_and_nothing_is_lost(page: Page) -> None:
    settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    with serving(create_app(settings), drain_seconds=0) as url:
        page.goto(url)
        drop_file(page, "notes.txt", "hello world")
    ask(page)
    problem = page.locator("#server-problem")
    expect(problem).to_contain_text("The server does not answer.")
    expect(problem).to_contain_text("pyodide-rlm serve")
    expect(problem.locator("button")).to_have_text("Run again")
    expect(page.locator("#status")).to_have_count(0)
    expect(page.locator("#question")).to_have_value("How many?")
    expect(page.locator(".attachments")).to_contain_text("notes.txt")


def test_a_run_waits_for_a_server_that_goes_away_and_can_be_stopped_meanwhile(page: Page) -> None:
    ScriptedModel(page, [code("answer['content'] = 'half of it'")])
    requests = iter(range(1_000))
    page.route("**/api/rlm", lambda route: route.abort("connectionrefused") if next(requests) else route.fallback())
    page.fill("#context-text", "text")
    ask(page)
    expect(page.locator(".notices")).to_contain_text("The server cannot be reached", timeout=ENDED_MS)
    expect(page.locator(".notices")).to_contain_text("The run waits")
    page.keyboard.press("Escape")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("half of it")


CAUSES = {
    "upstream-key-refused": (502, "The provider refused the server's key.", "Run again"),
    "upstream-quota-spent": (502, "The account at the provider has no credit left.", "Choose a model"),
    "upstream-rate-limited": (429, "The provider asks to slow down.", "Run again"),
    "upstream-failed": (502, "The provider is down.", "Choose a model"),
    "upstream-prompt-too-long": (502, "A prompt was too long.", "Choose a model"),
    "unknown-model": (400, "The server does not know this model.", "Choose a model"),
    "token-required": (401, "The server asks for its token.", "Reload the page"),
    "": (401, "The provider refused the server's key.", "Run again"),
}


@pytest.mark.parametrize(("slug", "status", "title", "remedy"), [(slug, *row) for slug, row in CAUSES.items()])
def test_each_cause_of_a_failed_call_has_its_own_words_and_one_thing_to_do(
    page: Page, slug: str, status: int, title: str, remedy: str
) -> None:
    detail = "What the server said about it"
    problem = {"type": f"/problems/{slug}", "status": status, "detail": detail, "retryable": False}
    send_requests(page)
    page.route("**/api/rlm", lambda route: route.fulfill(status=status, json=problem))
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    expect(page.locator("#run-problem .problem-title")).to_have_text(title)
    expect(page.locator("#run-problem")).to_contain_text(detail)
    expect(page.locator("#run-problem button")).to_have_text(remedy)


def test_a_model_that_the_server_does_not_offer_is_explained(page: Page) -> None:
    page.evaluate(
        """async () => { const { ask } = await import("/page/app.js");
          await ask({ question: "Who?", context: "text", options: { model: "openai:gone" } }); }"""
    )
    expect(page.locator("#run-problem")).to_contain_text("The model's provider is not set up.")
    expect(page.locator("#run-problem")).to_contain_text("OPENAI_API_KEY")
    page.click("#run-problem button")
    expect(page.locator("#model")).to_be_focused()


def test_a_tab_that_cannot_wait_for_a_model_is_told_so_before_the_run(page: Page) -> None:
    page.add_init_script("delete globalThis.SharedArrayBuffer; delete WebAssembly.Suspending;")
    page.reload()
    expect(page.locator("#browser-problem")).to_contain_text("This tab cannot run Python that waits for a model.")


def test_a_file_that_cannot_be_read_is_explained_and_the_others_are_kept(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => { const slice = Blob.prototype.slice; Blob.prototype.slice = function (...range) {
          if (this.name === "gone.txt") throw new DOMException("permission denied", "NotReadableError");
          return slice.apply(this, range); } }"""
    )
    (tmp_path / "gone.txt").write_text("a")
    (tmp_path / "here.txt").write_text("b")
    page.set_input_files("#context-files", [tmp_path / "gone.txt", tmp_path / "here.txt"])
    expect(page.locator("#context-problem")).to_contain_text("“gone.txt” cannot be read.")
    expect(page.locator(".attachments li")).to_have_count(1)


def test_a_long_paste_becomes_an_attachment(page: Page) -> None:
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "x".repeat(300_000));
          document.querySelector("#context-text").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })); }"""
    )
    expect(page.locator(".attachments")).to_contain_text("300 kB")
    expect(page.locator("#context-text")).to_have_value("")


def test_settings_are_remembered_and_reach_the_run(page: Page) -> None:
    page.click("#limits summary")
    page.fill("#limit-maxIterations", "1")
    page.reload()
    expect(page.locator("#limits summary")).to_contain_text("1 iteration,")
    ScriptedModel(page, [code("print(1)"), "The best answer from what I saw: one."])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    expect(page.locator("#run-problem")).to_contain_text("All iterations were used.")
    page.click("#run-problem button")
    expect(page.locator("#limit-maxIterations")).to_be_focused()


def test_an_impossible_limit_is_explained_and_nothing_ran(page: Page) -> None:
    page.click("#limits summary")
    page.fill("#limit-maxOutputChars", "1")
    expect(page.locator("#limit-maxOutputChars-hint")).to_contain_text("Output must be at least 200.")
    page.click("#limits summary")
    ask(page)
    expect(page.locator("#limit-maxOutputChars")).to_be_focused()
    expect(page.locator("#status")).to_have_count(0)
    for field, text, why in [
        ("maxIterations", "2.5", "Iterations must be a whole number."),
        ("maxCost", "-1", "Cost must be at least 0."),
        ("maxSeconds", "0", "Time must be above 0."),
        ("compactPercent", "101", "Summary at must be at most 100."),
    ]:
        page.fill(f"#limit-{field}", text)
        expect(page.locator(f"#limit-{field}-hint")).to_contain_text(why)
        page.fill(f"#limit-{field}", "")
        expect(page.locator(f"#limit-{field}-hint")).not_to_contain_text(why)
    page.focus("#limit-maxCost")
    page.keyboard.type("1e")
    expect(page.locator("#limit-maxCost-hint")).to_contain_text("Cost must be a number.")


def test_the_whole_flow_works_by_keyboard(page: Page) -> None:
    ScriptedModel(page, [code("print('x')\nFINAL('done')")])
    page.focus("#question")
    page.keyboard.type("What is it?")
    page.keyboard.press("Tab")
    page.keyboard.type("a context")
    expect(page.locator("#context-text")).to_have_value("a context")
    page.keyboard.press("Control+Enter")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("done")
    tab_to(page, ".iteration-head")
    page.keyboard.press("Enter")
    expect(page.locator(".iteration-body")).to_have_count(0)


def test_hostile_model_output_loads_nothing_and_runs_nothing(page: Page, served: str) -> None:
    seen: list[str] = []
    spoken: list[str] = []
    page.context.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: spoken.append(message.text))
    page.on("dialog", lambda dialog: spoken.append(dialog.message))
    block = f"hostile = {HOSTILE!r}\nprint(hostile + 'x' * 100_000)\nllm_query(hostile)\nFINAL(hostile)"
    ScriptedModel(page, [HOSTILE + code(block)], answer_sub=lambda prompt: HOSTILE)
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    page.click(".sub-calls-head")
    page.click(".call-head")
    for button in page.get_by_role("button", name="Show all").all():
        button.click()
    expect(page.locator("#answer")).to_contain_text("[image: remote]")
    expect(page.locator("#answer")).to_contain_text("<script>window.hacked = 1</script>")
    links = page.locator("#answer a")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("rel", "noopener noreferrer")
    expect(page.locator("#answer")).to_contain_text("(https://evil.example/h?secret=1)")
    links.hover()
    assert page.locator("main :is(img, script, iframe, form form, link, object, style, use)").count() == 0
    assert page.evaluate("window.hacked") is None
    ours = (served, "blob:", "data:", "https://self-test.invalid/")  # the last: the worker's own probes, all refused
    assert [url for url in seen if not url.startswith(ours)] == []
    assert spoken == []


@pytest.mark.timed
def test_a_thousand_sub_calls_leave_the_page_small_and_responsive(page: Page) -> None:
    block = "replies = llm_batch([f'question {i}' for i in range(1000)])\nprint(len(replies))"
    ScriptedModel(page, [code(block), code("FINAL(str(len(replies)))")])
    page.fill("#context-text", "text")
    watch_gaps(page)
    ask(page)
    ended(page)
    expect(page.locator("#answer")).to_contain_text("1000")
    expect(page.locator(".sub-calls-summary")).to_have_text("1,000 sub-calls")
    page.click(".sub-calls-head")
    expect(page.locator(".call")).to_have_count(20)
    assert page.locator("main *").count() < 1_500
    assert page.evaluate("window.longestGap") < 1_000


@pytest.mark.timed
def test_two_hundred_iterations_leave_the_page_small_and_responsive(page: Page) -> None:
    page.click("#limits summary")
    page.fill("#limit-maxIterations", "250")
    replies = [code(f"print('line {n}\\n' * 50)") for n in range(199)]
    ScriptedModel(page, [*replies, code("FINAL('the end')")])
    page.fill("#context-text", "text")
    watch_gaps(page)
    ask(page)
    ended(page)
    expect(page.locator(".iteration")).to_have_count(50)
    expect(page.locator(".iteration-body")).to_have_count(5)
    expect(page.locator("#answer")).to_contain_text("the end")
    for _ in range(3):
        page.locator(".earlier").click()
    expect(page.locator(".iteration")).to_have_count(200)
    page.locator(".iteration-head").first.click()
    expect(page.locator(".iteration-body").first).to_contain_text("line 0")
    assert page.locator("main *").count() < 3_000
    assert page.evaluate("window.longestGap") < 1_000


def watch_gaps(page: Page) -> None:
    """Note in the page the longest time, in ms, for which its main thread ran nothing else."""
    page.evaluate(
        """() => { window.longestGap = 0; let last = performance.now();
          setInterval(() => { const now = performance.now();
            window.longestGap = Math.max(window.longestGap, now - last); last = now; }, 20); }"""
    )


def test_long_output_is_cut_in_the_middle_until_it_is_asked_for(page: Page) -> None:
    ScriptedModel(page, [code("for i in range(5000): print('row', i)\nFINAL('ok')")])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    output = page.locator(".iteration .output").first
    expect(output).to_contain_text("characters not shown")
    expect(output).not_to_contain_text("row 2500")
    page.get_by_role("button", name=re.compile("Show all")).click()
    expect(output).to_contain_text("row 2500")


def test_the_answer_is_copied_and_the_trajectory_downloaded(page: Page) -> None:
    ScriptedModel(page, [code("FINAL('the **answer**')")])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "the **answer**"
    with page.expect_download() as download:
        page.click("#download")
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(lines[0])["type"], json.loads(lines[-1])["type"]] == ["run_started", "run_finished"]


def test_a_program_can_ask_through_the_page(page: Page) -> None:
    ScriptedModel(page, [code("FINAL(context['fruit'])")])
    result = page.evaluate(
        """async () => { const { ask } = await import("/page/app.js"); const types = [];
          const result = await ask({ question: "Which?", context: { fruit: "quince" },
            options: { maxIterations: 3, onEvent: (event) => types.push(event.type) } });
          return { answer: result.answer, types }; }"""
    )
    assert result["answer"] == "quince"
    assert result["types"][-1] == "run_finished"
    expect(page.locator("#asked")).to_have_text("Which?")
    expect(page.locator("#answer")).to_contain_text("quince")


def test_a_narrow_screen_has_no_sideways_scroll(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    ScriptedModel(page, [code("x = '" + "w" * 500 + "'\nprint(x)\nFINAL('# ' + x)")])
    page.fill("#context-text", "text")
    ask(page, "q" * 300)
    ended(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
