"""A conversation on the page: questions over one living REPL, until a new run begins."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.person import ScriptedModel, ask, code, ended, tab_to
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
