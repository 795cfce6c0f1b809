"""A conversation on the page: questions over one living REPL, until a new run begins; it survives a reload."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.person import ScriptedModel, ask, code, drop_file, ended, tab_to
from tests.browser.test_accessibility import serious_violations
from tests.browser.test_history import open_history, rows


def follow_up(page: Page, question: str) -> None:
    page.fill("#follow-up", question)
    page.click("#ask-next")
    expect(page.locator("#asked")).to_have_text(question)
    ended(page)


def test_the_next_question_finds_variables_context_and_earlier_answers(page: Page, faults: list[str]) -> None:
    replies = ["lamps = context.count('lamp')\nFINAL(lamps)", "FINAL([lamps, len(context), history_0[-1]['role']])"]
    ScriptedModel(page, [code(reply) for reply in replies])
    bodies: list[str] = []
    page.on(
        "request", lambda request: bodies.append(request.post_data or "") if request.url.endswith("/api/rlm") else None
    )
    page.fill("#context-text", "lamp and lamp")
    ask(page, "How many lamps?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("2")
    assert serious_violations(page) == []
    follow_up(page, "And of how many characters?")
    expect(page.locator("#answer")).to_contain_text("[2, 13, 'user']")
    assert "How many lamps?" in bodies[-1]
    expect(page.locator("#turns")).to_contain_text("How many lamps?")
    expect(page.locator("#question")).to_have_value("How many lamps?")
    page.click(".turn-head")
    expect(page.locator(".turn .answer")).to_contain_text("2")
    assert serious_violations(page) == []
    open_history(page)
    expect(rows(page)).to_have_count(2)
    assert faults == []


def test_a_conversation_goes_on_after_its_interpreter_was_lost(page: Page) -> None:
    replies = ["x = 41\nFINAL('kept')", "import os\nos.abort()", "FINAL(x + 1)"]
    ScriptedModel(page, [code(reply) for reply in replies])
    page.fill("#context-text", "text")
    ask(page, "One?")
    ended(page)
    follow_up(page, "Two?")
    expect(page.locator("#answer")).to_contain_text("42")


def test_a_conversation_by_keyboard_alone(page: Page) -> None:
    ScriptedModel(page, [code("FINAL('first')"), code("FINAL('second')")])
    page.focus("#question")
    page.keyboard.type("One?")
    page.keyboard.press("Control+Enter")
    ended(page)
    tab_to(page, "#follow-up")
    page.keyboard.type("Two?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#asked")).to_have_text("Two?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("second")


def test_a_new_run_begins_a_new_conversation(page: Page) -> None:
    ScriptedModel(page, [code("x = 1\nFINAL('first')"), code("FINAL('x' in globals())")])
    page.fill("#context-text", "text")
    ask(page, "One?")
    ended(page)
    ask(page, "Two?")
    expect(page.locator("#asked")).to_have_text("Two?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("False")
    expect(page.locator("#turns")).to_have_count(0)


def test_a_conversation_survives_a_reload_with_the_files_given_again(page: Page, faults: list[str]) -> None:
    """Question, text and file names are filled in; the state is rebuilt from the record, and no call is paid twice."""
    replies = ["x = 41\nFINAL('one')", "y = len(context)\nFINAL('two')", "FINAL((x, y, history_1[-1]['role']))"]
    model = ScriptedModel(page, [code(reply) for reply in replies])
    drop_file(page, "b.txt", "second")
    drop_file(page, "a.txt", "lamp")
    ask(page, "One?")
    ended(page)
    follow_up(page, "Two?")
    page.fill("#follow-up", "Three?")
    page.reload()
    expect(page.locator("#asked")).to_have_text("Two?")
    expect(page.locator("#answer")).to_contain_text("two")
    expect(page.locator("#turns")).to_contain_text("One?")
    expect(page.locator("#follow-up")).to_have_value("Three?")
    expect(page.locator("#question")).to_have_value("One?")
    expect(page.locator("#wanted li .name")).to_have_text(["b.txt", "a.txt"])
    assert serious_violations(page) == []
    page.click("#ask-next")
    expect(page.locator("#context-problem")).to_contain_text("“b.txt”, “a.txt” are missing.")
    expect(page.locator("#wanted")).to_be_focused()
    page.set_input_files("#context-files", {"name": "a.txt", "mimeType": "", "buffer": b"another"})
    expect(page.locator("#context-problem")).to_contain_text("This one has 7 bytes; the one before had 4 bytes.")
    page.click("#run")
    expect(page.locator("#context-problem")).to_contain_text("“b.txt”, “a.txt” are to be given again.")
    page.set_input_files("#context-files", {"name": "a.txt", "mimeType": "", "buffer": b"pmal"})
    drop_file(page, "b.txt", "second")
    expect(page.locator("#wanted")).to_have_count(0)
    expect(page.locator(".attachments .name")).to_have_text(["b.txt", "a.txt"])
    page.click("#ask-next")
    expect(page.locator("#context-problem")).to_contain_text("The conversation was not continued.", timeout=60_000)
    expect(page.locator("#context-problem")).to_contain_text("the content of")
    expect(page.locator("#follow-up")).to_have_value("Three?")
    page.get_by_role("button", name="Remove a.txt").click()
    drop_file(page, "a.txt", "lamp")
    page.click("#ask-next")
    expect(page.locator("#asked")).to_have_text("Three?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("(41, 2, 'user')")
    assert model.asked == len(replies)
    open_history(page)
    expect(rows(page)).to_have_count(3)
    assert faults == []


def test_a_question_that_a_reload_cut_off_continues_in_its_conversation(page: Page) -> None:
    model = ScriptedModel(page, [code("x = 41\nFINAL('one')"), code("FINAL(x + 1)"), code("FINAL(x + 2)")], hold=[1])
    page.on("dialog", lambda dialog: dialog.accept())  # the page asks whether to leave while a run is under way
    page.fill("#context-text", "text")
    ask(page, "One?")
    ended(page)
    page.fill("#follow-up", "Two?")
    page.click("#ask-next")
    model.next_held()
    page.reload()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#asked")).to_have_text("Two?")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("42")
    expect(page.locator("#turns")).to_contain_text("One?")
    follow_up(page, "Three?")
    expect(page.locator("#answer")).to_contain_text("43")
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
    page.go_back()
    open_history(page)
    rows(page).last.locator(".kept-open").click()
    page.click("#recording-reopen")
    expect(page.locator("#asked")).to_have_text("Three?")
    expect(page.locator("#turns li")).to_have_count(2)
