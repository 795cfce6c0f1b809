"""Firefox: the same runs as in Chromium, at the containment that this engine gives, which it never overstates.

Firefox 153 ignores `sandbox` in the policy of a worker's response, so a worker of the served page has the origin of the
page: its level is `network`. In a sandboxed frame it is `full`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Page

from tests.browser.attacks.arena import Arena, attacked_server
from tests.browser.attacks.canary import canaries
from tests.browser.attacks.snippets_network import SNIPPETS as NETWORK
from tests.browser.attacks.snippets_storage import SNIPPETS as STORAGE
from tests.browser.attacks.test_headers_removed import (
    CSP,
    FINISH,
    WORKER,
    Changed,
    notice,
    without,
)
from tests.browser.firefox.bidi import FirefoxPage, PageError
from tests.browser.lab import LAB, code, run
from tests.browser.static_site import hosted, make_site
from tests.browser.test_frame import ISOLATED

LEVEL = "containment: network (the worker's origin is http://127.0.0.1:"


@contextmanager
def attacked(firefox: FirefoxPage, paths: str = "nothing", **headers: str | None) -> Iterator[Arena]:
    """An arena in Firefox before a server that changes `headers` below `paths`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with canaries() as canary, attacked_server(lambda app: Changed(app, paths, named)) as (url, upstream):
        firefox.goto(url)
        yield Arena(cast("Page", firefox), upstream, canary)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def lab(firefox: FirefoxPage, served: str) -> Page:
    """The served page, for scripted runs."""
    firefox.goto(served)
    return cast("Page", firefox)


ASK = """([question, context]) => new Promise((done, fail) => {
  const type = (id, text) => {
    document.getElementById(id).value = text;
    document.getElementById(id).dispatchEvent(new Event("input", { bubbles: true }));
  };
  type("question", question);
  type("context-text", context);
  document.getElementById("run").click();
  const look = () => {
    if (document.querySelector("#status.finished")) done(document.querySelector("main").textContent);
    else setTimeout(look, 50);
  };
  look();
})"""


def test_a_person_asks_on_the_page(firefox: FirefoxPage, served: str, tmp_path: Path) -> None:
    firefox.goto(served)
    errors: list[PageError] = []
    firefox.on("pageerror", errors.append)
    context = "The lease was signed by Ada Lovelace in May. The roof is red."
    shown = firefox.evaluate(ASK, ["Who signed the lease?", context])
    assert "The lease was signed by Ada Lovelace" in shown, shown[-1500:]
    assert LEVEL in shown
    assert [error for error in errors if "self-test" not in error.message] == []
    firefox.screenshot(path=tmp_path / "answered.png")


def test_a_batch_a_child_run_and_a_stop(lab: Page) -> None:
    asking = "print(llm_batch(['a', 'b']), llm_query('c'))\nprint(rlm_query('child'))"
    replies = {"root": [code(asking), code("FINAL('whole')")], "child": [code("FINAL('from the child')")]}
    result = run(lab, replies, question="root", context="text", options={"maxDepth": 2})
    assert "error" not in result, result["error"]
    printed = "".join(e["observation"]["stdout"] for e in result["events"] if e["type"] == "block_finished")
    assert "['sub:a', 'sub:b'] sub:c" in printed
    assert "from the child" in printed
    assert result["answer"] == "whole"
    stopped = run(lab, [code("print('spinning', flush=True)\nwhile True: pass")], stopOn="spinning")
    assert "error" not in stopped, stopped["error"]
    assert stopped["stoppedBy"] == "cancelled"
    assert stopped["stopMs"] < 10_000


def test_a_run_continues_after_a_reload(lab: Page) -> None:
    """The page goes while its second root call is under way; a resume makes that one, and none before it."""
    replies = [code("kept = 41"), None]
    lab.evaluate(LAB)
    began = """(replies) => new Promise((begun) => {
      let calls = 0;
      const onEvent = ({ type }) => {
        calls += type === "call_started" ? 1 : 0;
        if (calls === 2) setTimeout(begun, 500);
      };
      void lab.run({ replies, options: { journal: "of-firefox", onEvent } });
    })"""
    lab.evaluate(began, replies)
    lab.reload()
    log = lab.evaluate("async () => (await import('/rlm/rlm.js')).readRun('of-firefox')")
    result = run(lab, [code("FINAL(kept + 1)")], log={"resume": log})
    assert "error" not in result, result["error"]
    assert (result["answer"], len(result["posts"])) == ("42", 1)


def test_attacks_on_network_and_storage_win_nothing(firefox: FirefoxPage) -> None:
    with attacked(firefox) as arena:
        snippets = [each for each in (*NETWORK, *STORAGE) if not each.alone]
        outcomes = arena.attack(snippets)
        assert {each.snippet.name: each.wins() for each in outcomes if each.wins()} == {}
        assert outcomes[0].run["answer"] == "survived"
        assert LEVEL in notice(outcomes[0].run)


def test_where_the_policy_is_gone_nothing_runs(firefox: FirefoxPage) -> None:
    with attacked(firefox, WORKER, **without(CSP)) as arena:
        assert 'containment is "weak"' in arena.run(FINISH, host="worker")["error"]["message"]
        assert arena.upstream.seen == []


def test_full_is_refused_where_the_worker_has_the_pages_origin(firefox: FirefoxPage) -> None:
    with attacked(firefox) as arena:
        assert 'containment is "network"' in arena.run(FINISH, containment="full")["error"]["message"]


@pytest.mark.parametrize(("headers", "channel"), [(ISOLATED, "shared-memory"), ({}, "jspi")], ids=["isolated", "bare"])
def test_in_a_frame_of_a_static_site_the_level_is_full(
    firefox: FirefoxPage, folder: Path, headers: dict[str, str], channel: str
) -> None:
    with hosted(folder, headers) as url:
        firefox.goto(url)
        result = run(cast("Page", firefox), [code("print(llm_query('a'))"), code("FINAL('done')")])
    assert "error" not in result, result["error"]
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert result["answer"] == "done"
    assert f", in a frame; containment: full; channel: {channel};" in notices[0]
