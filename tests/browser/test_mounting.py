"""The server as a part of another application: its page answers below the prefix, and so does a page of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.routing import Mount

import rlm_server
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

CONTEXT = "The lease was signed by Ada Lovelace in May. The roof is red."
QUESTION = "Who signed the lease?"
PAGE = f"""<!doctype html><title>mine</title><p id="answer"></p>
<script type="module">
  import {{ RLM }} from "./rlm/rlm.js";
  const rlm = new RLM({{ endpoint: "api/rlm" }});
  const {{ answer }} = await rlm.run("{QUESTION}", {{ context: "{CONTEXT}" }});
  document.querySelector("#answer").textContent = `${{answer}} ${{crossOriginIsolated}} ${{globalThis.injected}}`;
</script>
<script nonce="none">globalThis.allowed = true;</script>
<body onload="globalThis.injected = true">"""


def settings_of(**values: object) -> Settings:
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=None, ollama_base_url="", **values)  # type: ignore[arg-type, call-arg]


def test_the_page_answers_below_the_prefix_of_another_application(browser: Browser) -> None:
    ask = rlm_server.asgi(settings=settings_of())
    site = Starlette(routes=[Mount("/outer/ask", ask)], lifespan=ask.lifespan)
    page = browser.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with serving(site, drain_seconds=0) as url:
        page.goto(f"{url}/outer/ask")
        assert page.url == f"{url}/outer/ask/"
        page.get_by_label("Question").fill(QUESTION)
        page.get_by_label("Context").first.fill(CONTEXT)
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#outcome")).to_contain_text("Ada Lovelace", timeout=60_000)
        assert page.evaluate("crossOriginIsolated")
        page.close()
    assert sockets == [f"{url.replace('http', 'ws')}/outer/ask/api/rlm/socket"]


def test_a_page_of_ones_own_runs_beside_the_server_and_what_is_injected_does_not(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "mine.html").write_text(PAGE)
    page = browser.new_page()
    with serving(create_app(settings_of(root_path="/team"), pages=tmp_path), drain_seconds=0) as url:
        page.goto(f"{url}/team/mine.html")
        answer = page.locator("#answer")
        expect(answer).to_contain_text("Ada Lovelace", timeout=60_000)
        expect(answer).to_contain_text("true undefined")  # isolated; the event handler is no script of the file
        assert page.evaluate("globalThis.allowed")
        refused = page.evaluate(
            """async () => {
                const script = document.createElement("script");
                script.textContent = "globalThis.injected = true";
                document.body.append(script);
                return [globalThis.injected, await fetch("http://localhost:1/").catch((fault) => fault.name)];
            }"""
        )
        assert refused == [None, "TypeError"]
        page.close()
