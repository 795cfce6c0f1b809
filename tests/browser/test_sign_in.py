"""A server with a token below a prefix: a person signs in on its page and asks; a program opens it with the token."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, expect

from rlm_core import RLMError
from rlm_server.headless import BlockingBrowserRLM
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

TOKEN = "a-long-random-token"
PREFIX = "/rlm"
CONTEXT = "The lease was signed by Ada Lovelace in May. The roof is red."
QUESTION = "Who signed the lease?"


@pytest.fixture(scope="module")
def team() -> Iterator[str]:
    """URL of the page, below a prefix that is also the name of a folder of ours."""
    values = {"ollama_base_url": "", "tokens": f"ann:{TOKEN}", "public_url": f"http://127.0.0.1{PREFIX}"}
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]
    with serving(create_app(settings), drain_seconds=0) as url:
        yield f"{url}{PREFIX}"


def test_a_person_signs_in_and_asks_below_a_prefix(browser: Browser, team: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(team)
    page.get_by_label("Token").fill("not the token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("That is none of the server's tokens.")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{team}/")
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_label("Context").first.fill(CONTEXT)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#outcome")).to_contain_text("Ada Lovelace", timeout=60_000)
    context.close()


def test_a_program_opens_the_page_with_its_token(chromium: Path, team: str) -> None:
    with BlockingBrowserRLM(team, token=TOKEN) as rlm:
        assert "Ada Lovelace" in rlm.run(QUESTION, context=CONTEXT).answer
    with pytest.raises(RLMError, match="asks for its token"), BlockingBrowserRLM(team):
        pass
