"""The worker in a sandboxed frame: on pages whose headers are not ours, the same runs at the same containment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from playwright.sync_api import BrowserContext, Page, Route
from starlette.applications import Starlette

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.lab import FINISH, code, printed, run
from tests.browser.static_site import hosted, make_site
from tests.browser.visitor import Visitor

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
SITES: dict[str, tuple[dict[str, str], str]] = {
    "no header at all": ({}, "jspi"),
    "isolated": (ISOLATED, "shared-memory"),
}
CREDENTIALLESS = {**ISOLATED, "Cross-Origin-Embedder-Policy": "credentialless"}
NO_JSPI = "delete WebAssembly.Suspending; delete WebAssembly.promising;"
SPARE = 1
"""Frames that the pool keeps ready."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def urls(folder: Path) -> Iterator[dict[str, str]]:
    """URL of the static site under each set of headers."""
    with ExitStack() as servers:
        yield {name: servers.enter_context(hosted(folder, headers)) for name, (headers, _) in SITES.items()}


@pytest.fixture(params=SITES)
def site(
    request: pytest.FixtureRequest, urls: dict[str, str], visitor: Visitor, context: BrowserContext
) -> tuple[Page, str]:
    """A page of the static site, and the channel that its runs have."""
    return known(visitor, urls[request.param]), SITES[request.param][1]


@pytest.fixture
def blog(urls: dict[str, str], visitor: Visitor, context: BrowserContext) -> Page:
    """A page of a site that sends no header at all."""
    return known(visitor, urls["no header at all"])


@pytest.fixture
def isolated(urls: dict[str, str], visitor: Visitor, context: BrowserContext) -> Page:
    return known(visitor, urls["isolated"])


def known(visitor: Visitor, url: str) -> Page:
    visitor.know(url)
    return opened(visitor.context, url)


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    return page


def notices(result: Any) -> str:
    assert result.get("error") is None, result["error"]
    return "\n".join(event["text"] for event in result["events"] if event["type"] == "notice")


def frames(page: Page) -> int:
    return page.locator("iframe").count()


def changed(context: BrowserContext, pattern: str, change: Any) -> None:
    """Have a script of the site changed on its way to the page."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=change(response.text()))

    context.route(pattern, answer)


# --- The same runs --------------------------------------------------------------------------------------------------


def test_a_run_answers_at_full_containment_over_the_channel_that_there_is(site: tuple[Page, str]) -> None:
    page, transport = site
    first = code("print(len(context))\nx = llm_query('hi')\nprint(llm_batch(['a', 'b', 'c']))")
    result = run(page, [first, code("FINAL(x)")], context="hello world", options={"containment": "full"})
    assert (result["answer"], result["stoppedBy"], result["iterations"]) == ("sub:hi", "final_answer", 2)
    assert printed(result) == "11\n['sub:a', 'sub:b', 'sub:c']\n"
    assert f", in a frame; containment: full; channel: {transport};" in notices(result)
    assert frames(page) <= SPARE


def test_a_page_isolated_without_credentials_shares_memory_too(folder: Path, context: BrowserContext) -> None:
    with hosted(folder, CREDENTIALLESS) as url:
        result = run(opened(context, url), [code("FINAL(llm_query('hi'))")])
    assert result["answer"] == "sub:hi"
    assert "containment: full; channel: shared-memory;" in notices(result)


def test_runs_in_a_tree_have_a_frame_each_and_leave_none(site: tuple[Page, str]) -> None:
    page, _ = site
    ask = code("FINAL(' '.join(rlm_batch(['a', 'b'], 'data ')))")
    replies: Any = {"root": [ask], **{name: [code(f"FINAL(context + llm_query('{name}'))")] for name in "ab"}}
    result = run(page, replies, question="root", options={"maxDepth": 2})
    assert result["answer"] == "data sub:a data sub:b"
    assert notices(result).count(", in a frame; containment: full;") == 3
    assert frames(page) <= SPARE


def test_a_death_is_an_observation_and_the_state_is_rebuilt(site: tuple[Page, str]) -> None:
    page, _ = site
    replies = [code("x = llm_query('one')"), code("import os; os._exit(3)"), code("FINAL(x)")]
    result = run(page, replies)
    assert result["answer"] == "sub:one"
    assert "The Python interpreter died in this block" in printed(result)
    assert [post["prompt"] for post in result["posts"] if "prompt" in post] == ["one"]


@pytest.mark.timed
def test_a_stop_ends_the_run_and_removes_the_frame(site: tuple[Page, str]) -> None:
    page, transport = site
    replies = [code("answer['content'] = 'half way'"), code("print('spinning')\nwhile True: pass")]
    result = run(page, replies, stopOn="spinning")
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "half way")
    assert frames(page) <= SPARE
    if transport == "shared-memory":  # the block itself is interrupted, and shows its output
        assert "KeyboardInterrupt" in printed(result)


def test_a_block_that_takes_too_long_is_ended_and_the_run_goes_on(site: tuple[Page, str]) -> None:
    page, _ = site
    result = run(page, [code("x = 1"), code("while True: pass"), code("FINAL(x)")], options={"blockTimeout": 1_000})
    assert result["answer"] == "1"


def test_several_questions_over_one_repl(blog: Page) -> None:
    questions = [{"question": "one", "context": "first"}, {"question": "two"}]
    replies: Any = {"one": [code("x = context\nFINAL(x)")], "two": [code("FINAL(x + llm_query('q'))")]}
    results = run(blog, replies, question=questions)["results"]
    assert [result["answer"] for result in results] == ["first", "firstsub:q"]


def test_files_are_mounted_without_being_loaded(blog: Page) -> None:
    context = {"files": {"a.txt": "A", "b.bin": [255, 1]}}
    result = run(blog, [code("FINAL(repr((context['a.txt'], context['b.bin'].read_bytes())))")], context=context)
    assert result["answer"] == r"('A', b'\xff\x01')"


def test_a_worker_of_a_frame_starts_from_the_snapshot_and_waits_as_a_spare(blog: Page) -> None:
    prepare = 'async () => (await import("/rlm/boot/pool.js")).prepareWorker("rlm/assets")'
    blog.evaluate(prepare)
    assert frames(blog) == SPARE
    result = run(blog, [FINISH])
    assert "start: snapshot" in notices(result)


def test_a_frame_that_is_gone_is_a_lost_worker_and_the_run_goes_on(blog: Page) -> None:
    wreck = """() => {
      globalThis.wreck = async () => {
        globalThis.wreck = async () => {};
        for (const frame of document.querySelectorAll("iframe")) frame.remove();
      };
    }"""
    blog.evaluate(wreck)
    result = run(blog, [code("x = llm_query('hi')"), code("FINAL(x)")], before="wreck")
    assert result["answer"] == "sub:hi"
    assert "the Python worker was lost, 1 of at most 3 times: it was ended from outside" in notices(result)


# --- The level is the truth -----------------------------------------------------------------------------------------


def test_where_the_script_has_no_policy_a_worker_of_the_pages_own_is_refused(blog: Page) -> None:
    refused = run(blog, [FINISH], options={"host": "worker"})
    assert refused["error"]["name"] == "ConfigError"
    assert 'containment is "weak"' in refused["error"]["message"]
    assert 'pass host: "frame"' in refused["error"]["message"]
    assert refused["posts"] == []


def test_a_frame_that_is_not_of_opaque_origin_is_told_as_network(blog: Page, context: BrowserContext) -> None:
    changed(context, "**/rlm/boot/frame.js", lambda text: text.replace('frame.sandbox.add("allow-scripts");', ""))
    assert "in a frame; containment: network (the worker's origin is http" in notices(run(blog, [FINISH]))
    blog.reload()
    refused = run(blog, [FINISH], options={"containment": "full"})
    assert 'containment is "network"' in refused["error"]["message"]


HOLES = ("connect-src *", "connect-src data:", "font-src *", "img-src *; worker-src * data: blob:")


@pytest.mark.parametrize("hole", HOLES)
def test_a_frame_whose_policy_has_a_hole_is_noticed(blog: Page, context: BrowserContext, hole: str) -> None:
    changed(
        context, "**/rlm/boot/frame.js", lambda text: text.replace("default-src 'none'", f"default-src 'none'; {hole}")
    )
    refused = run(blog, [FINISH])
    assert 'containment is "weak"' in refused["error"]["message"]
    assert refused["posts"] == []


def test_an_isolated_page_needs_no_jspi(isolated: Page, context: BrowserContext) -> None:
    changed(context, "**/assets/worker.*.js", lambda text: NO_JSPI + text)
    result = run(isolated, [code("FINAL(llm_query('hi'))")])
    assert result["answer"] == "sub:hi"
    assert "channel: shared-memory" in notices(result)


def test_without_isolation_and_without_jspi_nothing_runs_and_the_reason_is_told(
    blog: Page, context: BrowserContext
) -> None:
    changed(context, "**/assets/worker.*.js", lambda text: NO_JSPI + text)
    refused = run(blog, [FINISH])
    assert refused["error"]["name"] == "ChannelError"
    assert (
        "The page is not isolated, so that it has no SharedArrayBuffer, and this engine (Chromium "
        in refused["error"]["message"]
    )


# --- Three origins --------------------------------------------------------------------------------------------------

ASK = """async ([modules, endpoint, options]) => {
  const { RLM } = await import(`${modules}/rlm/rlm.js`);
  const rlm = new RLM({ endpoint, ...options });
  const context = "The lease was signed by Ada Lovelace in May. The roof is red.";
  const { answer, detail, trajectory } = await rlm.run("Who signed the lease?", { context });
  return { answer, detail, log: trajectory() };
}"""

CANCEL = """async (endpoint) => {
  const { cancelRequest } = await import("/rlm/calls/endpoint.js");
  await cancelRequest(endpoint, "visit/0/1");
}"""
MAX_RUN_CALLS = 100


@contextmanager
def endpoint_for(*origins: str, app: list[Starlette] | None = None, **limits: Any) -> Iterator[str]:
    """URL of a real server whose API pages of `origins` may call; `app` takes its application."""
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="", allowed_origins=origins, **limits)  # type: ignore[call-arg]
    created = create_app(settings)
    (app if app is not None else []).append(created)
    with serving(created, drain_seconds=0) as url:
        yield f"{url.rstrip('/')}/api/rlm"


def test_page_modules_and_endpoint_may_be_of_three_origins(
    folder: Path, tmp_path: Path, context: BrowserContext
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>A page</title>")
    cors = {"Access-Control-Allow-Origin": "*"}
    with hosted(tmp_path) as own, hosted(folder, cors) as modules, endpoint_for(own) as endpoint:
        result = opened(context, own).evaluate(ASK, [modules, endpoint])
    assert "Ada Lovelace" in result["answer"]
    assert ", in a frame; containment: full; channel: jspi;" in result["log"]


def test_a_site_of_another_origin_calls_with_the_token(folder: Path, context: BrowserContext) -> None:
    with hosted(folder) as own, endpoint_for(own, token="a-long-token") as endpoint:
        page = opened(context, own)
        without = page.evaluate(ASK, [own, endpoint])
        by_token = page.evaluate(ASK, [own, endpoint, {"token": "a-long-token"}])
        by_header = page.evaluate(ASK, [own, endpoint, {"headers": {"Authorization": "Bearer a-long-token"}}])
    assert (without["answer"], "token" in without["detail"]) == ("", True)
    for result in (by_token, by_header):
        assert "Ada Lovelace" in result["answer"]
        assert "a-long-token" not in result["log"]


def test_an_endpoint_that_does_not_know_the_origin_answers_nothing(folder: Path, context: BrowserContext) -> None:
    with hosted(folder) as own, endpoint_for("https://another.example") as endpoint:
        result = opened(context, own).evaluate(ASK, [own, endpoint])
    assert result["answer"] == ""
    assert result["detail"] != ""


def test_each_visitor_of_a_static_site_has_the_budget_of_a_run_and_a_stop_reaches_the_server(
    folder: Path, context: BrowserContext
) -> None:
    app: list[Starlette] = []
    with hosted(folder) as own, endpoint_for(own, app=app, max_run_calls=MAX_RUN_CALLS) as endpoint:
        answers = [opened(context, own).evaluate(ASK, [own, endpoint]) for _ in range(2)]
        runs = app[0].state.backend.budgets.runs
        cancelled = opened(context, own).evaluate(CANCEL, endpoint)
        (key,) = app[0].state.backend.in_flight._stops
    assert [("Ada Lovelace" in answer["answer"], answer["detail"]) for answer in answers] == [(True, "")] * 2
    calls, of_the_other = (tally.calls for tally in runs.values())
    assert calls == of_the_other > 0
    assert "" not in runs  # the run that all calls without a key share
    assert (cancelled, f"{key.run}/{key.call}") == (None, "visit/0/1")
