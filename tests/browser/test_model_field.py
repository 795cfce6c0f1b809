"""The choice of a model on the page: searched, typed freely, and never replaced by another where it is away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations

BUILTIN = {"id": "builtin:extractive", "label": "Built-in", "provider": "builtin", "note": "Not a language model."}

pytestmark = pytest.mark.usefixtures("by_requests")


def model(name: str) -> dict[str, str]:
    provider, _, short = name.partition(":")
    return {"id": name, "label": f"{short} ({provider})", "provider": provider, "note": ""}


def offer(
    page: Page, *names: str, notes: tuple[tuple[str, str], ...] = (), default: str = "builtin:extractive"
) -> None:
    """Let the server's list hold `names`, and show the page anew."""
    listed = {
        "models": [BUILTIN, *map(model, names)],
        "default": default,
        "notes": [{"provider": provider, "note": note} for provider, note in notes],
    }
    page.unroute("**/api/models")
    page.route("**/api/models", lambda route: route.fulfill(json=listed))
    reload(page)


def reload(page: Page) -> None:
    """Show the page anew, with its list of models: until that has come, a field is drawn anew under a test's hands."""
    page.reload()
    page.locator("#model[placeholder^='Default: ']").wait_for(state="attached")


def choose_model(page: Page, name: str, *, field: str = "#model") -> None:
    page.fill(field, name)
    page.press(field, "Enter")


def models_of(page: Page) -> list[str]:
    """Names in the root calls of a run that answers at once."""
    seen: list[str] = []
    ScriptedModel(page, [code("FINAL('ok')")])
    page.on(
        "request", lambda request: seen.append(request.post_data or "") if request.url.endswith("/api/rlm") else None
    )
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    return [str(json.loads(body).get("model")) for body in seen]


def rows(page: Page) -> Any:
    return page.locator("#model-list [role=option]")


def test_the_list_is_searched_by_words_and_by_keyboard(page: Page) -> None:
    offer(page, *(f"openai:gpt-{n}" for n in range(200)), "ollama:private-llama")
    page.click("#model")
    expect(rows(page)).to_have_count(50)
    expect(page.locator(".model-list")).to_contain_text("153 more")
    page.fill("#model", "llama PRIV")
    expect(rows(page)).to_have_count(1)
    assert serious_violations(page) == []
    page.press("#model", "Enter")
    expect(page.locator("#model")).to_have_value("ollama:private-llama")
    page.press("#model", "ArrowDown")
    page.press("#model", "Escape")
    expect(rows(page)).to_have_count(0)
    assert models_of(page) == ["ollama:private-llama"]


def test_a_name_that_is_not_listed_is_used_as_typed_and_remembered(page: Page) -> None:
    offer(page, "openai:gpt-5-mini")
    choose_model(page, "openai:gpt-5")
    reload(page)
    expect(page.locator("#model")).to_have_value("openai:gpt-5")
    expect(page.locator("#model-problem")).to_have_count(0)
    assert models_of(page) == ["openai:gpt-5"]


def test_the_name_alone_stands_for_the_one_model_that_has_it_and_other_text_is_refused_there(page: Page) -> None:
    offer(page, "openai:gpt-5-mini")
    page.fill("#model", "gpt-5-mini")
    page.press("#model", "Tab")
    expect(page.locator("#model")).to_have_value("openai:gpt-5-mini")
    page.fill("#model", "no such")
    page.press("#model", "Tab")
    expect(page.locator("#model-problem")).to_contain_text("“no such” names no model.")
    ask(page)
    expect(page.locator("#model")).to_be_focused()
    expect(page.locator("#status")).to_have_count(0)


@pytest.mark.parametrize(("field", "name"), [("#model", "Root model"), ("#sub-model", "Sub model")])
def test_a_model_that_is_away_is_shown_and_nothing_runs_until_another_is_chosen(
    page: Page, field: str, name: str
) -> None:
    offer(page, "ollama:private-llama", "openai:gpt-5-mini")
    choose_model(page, "ollama:private-llama", field=field)
    offer(page, "openai:gpt-5-mini", default="openai:gpt-5-mini")
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if request.url.endswith("/api/rlm") else None)
    expect(page.get_by_label(name, exact=True)).to_have_value("ollama:private-llama")
    expect(page.locator("#model-problem")).to_contain_text("“ollama:private-llama” is not offered now.")
    page.fill("#context-text", "text")
    ask(page)
    expect(page.locator(field)).to_be_focused()
    expect(page.locator("#status")).to_have_count(0)
    assert seen == []
    choose_model(page, "openai:gpt-5-mini", field=field)
    expect(page.locator("#model-problem")).to_have_count(0)
    assert models_of(page) == ["openai:gpt-5-mini"]


def test_a_model_that_is_back_is_used_again(page: Page) -> None:
    offer(page, "ollama:private-llama")
    choose_model(page, "ollama:private-llama")
    offer(page)
    expect(page.locator("#model-problem")).to_be_visible()
    offer(page, "ollama:private-llama")
    expect(page.locator("#model-problem")).to_have_count(0)
    assert models_of(page) == ["ollama:private-llama"]


def test_notes_on_missing_lists_stand_beside_the_field_and_no_key_is_asked_for_that_is_set(page: Page) -> None:
    offer(page)
    expect(page.locator("#stand-in")).to_contain_text("OPENAI_API_KEY")
    offer(page, notes=(("openai", "The list of models is not available: status 403."),))
    expect(page.locator("#list-notes")).to_contain_text("status 403")
    expect(page.locator("#stand-in")).not_to_contain_text("OPENAI_API_KEY")
    expect(page.locator("#stand-in")).to_contain_text("choose or name another")


def test_options_of_the_model_are_remembered_checked_at_their_field_and_sent(page: Page) -> None:
    page.click("#model-options summary")
    page.fill("#option-temperature", "3")
    expect(page.locator("#option-temperature-hint")).to_contain_text("Temperature must be at most 2.")
    page.click("#model-options summary")
    page.fill("#context-text", "text")
    ask(page)
    expect(page.locator("#option-temperature")).to_be_focused()
    page.fill("#option-temperature", "0.5")
    page.fill("#option-seed", "7")
    page.select_option("#option-reasoningEffort", "low")
    page.click("#sub-model-options summary")
    page.fill("#sub-option-topP", "0")
    ask(page)
    expect(page.locator("#sub-option-topP")).to_be_focused()
    page.fill("#sub-option-topP", "0.5")
    reload(page)
    expect(page.locator("#model-options summary")).to_contain_text("3 options set")
    expect(page.locator("#sub-model-options summary")).to_contain_text("1 option set")
    seen: list[str] = []
    ScriptedModel(page, [code("FINAL(llm_query('one'))")])
    page.on("request", lambda sent: seen.append(sent.post_data or "") if sent.url.endswith("/api/rlm") else None)
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    options = [json.loads(body)["options"] for body in seen]
    assert options == [{"temperature": 0.5, "seed": 7, "reasoning_effort": "low"}, {"top_p": 0.5}]


def test_further_models_for_code_are_added_removed_and_sent_with_the_run(page: Page) -> None:
    offer(page, "openai:gpt", "ollama:small", "openai:searching")
    choose_model(page, "openai:gpt")
    for name in ("ollama:small", "other:typed", "openai:gpt", "nonsense"):
        choose_model(page, name, field="#allowed-model")
    expect(page.locator("#allowed-models li")).to_have_count(2)
    reload(page)
    page.get_by_role("button", name="Remove other:typed").click()
    expect(page.locator("#allowed-models li")).to_contain_text(["ollama:small"])
    assert serious_violations(page) == []
    replies = [
        code("print(llm_query('one', model='ollama:small'))\nllm_query('two', model='other:typed')"),
        code("FINAL('x')"),
    ]
    seen: list[str] = []
    page.on(
        "request", lambda request: seen.append(request.post_data or "") if request.url.endswith("/api/rlm") else None
    )
    ScriptedModel(page, replies, answer_sub=lambda prompt: "small said")
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    asked = [(body.get("prompt"), body["model"]) for body in map(json.loads, seen)]
    assert asked == [(None, "openai:gpt"), ("one", "ollama:small"), (None, "openai:gpt")]
    page.click(".egress-head")
    rows_shown = page.locator(".egress-destinations tbody tr")
    expect(rows_shown).to_have_count(2)
    expect(rows_shown.nth(1)).to_contain_text("ollama")
    expect(rows_shown.nth(1)).to_contain_text("ollama:small")
    expect(rows_shown.nth(1).locator("td").nth(4)).to_have_text("1")
    expect(rows_shown.nth(1).locator("td").nth(5)).to_have_text("3")
    assert serious_violations(page) == []


AT_ONCE = """async (names) => {
  const field = document.getElementById("allowed-model");
  const drawn = async () => { for (let step = 0; step < 9; step += 1) await null; } // the field, and not the page
  for (const name of names) {
    field.value = name;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await drawn();
    field.dispatchEvent(new FocusEvent("blur"));
    await drawn();
  }
}"""


def test_models_for_code_that_are_added_between_two_drawings_are_all_kept(page: Page) -> None:
    page.evaluate(AT_ONCE, ["ollama:small", "openai:other", "ollama:small"])
    expect(page.locator("#allowed-models li")).to_have_count(2)
    expect(page.locator("#allowed-models li")).to_contain_text(["ollama:small", "openai:other"])


def test_a_model_that_searches_at_its_vendor_is_marked_and_not_called_by_code(page: Page) -> None:
    searching = {**model("openai:searching"), "vendor_tools": True}
    listed = {"models": [BUILTIN, searching], "default": "builtin:extractive", "notes": []}
    page.route("**/api/models", lambda route: route.fulfill(json=listed))
    reload(page)
    page.fill("#model", "searching")
    expect(rows(page)).to_contain_text(["searches the web at its vendor"])
    page.press("#model", "Enter")
    seen: list[str] = []
    page.on(
        "request", lambda request: seen.append(request.post_data or "") if request.url.endswith("/api/rlm") else None
    )
    ScriptedModel(page, [code("print(llm_query('never'))"), code("FINAL('x')")])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    assert "never" not in [json.loads(body).get("prompt") for body in seen]
    expect(page.locator("#timeline")).to_contain_text("searches or browses the web at its vendor")
    expect(page.get_by_role("list", name="Notices")).to_contain_text('The model "openai:searching" searches or browses')
