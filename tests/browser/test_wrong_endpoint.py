"""A wrong endpoint, a port where nothing listens, another name of this machine: each has its own sentence."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.firefox.bidi import FirefoxPage
from tests.browser.static_site import hosted, make_site

FAULTS = """async (endpoints) => {
  const { encoded, request } = await import("/rlm/calls/endpoint.js");
  const body = await encoded({ prompt: "Who?" });
  const asked = { fetcher: (...given) => fetch(...given), signal: AbortSignal.timeout(60_000) };
  const fault = async ([name, endpoint]) => {
    const began = performance.now();
    const { type, message } = await request(endpoint, body, asked).catch((error) => error);
    return [name, [type, message, (performance.now() - began) / 1_000]];
  };
  return Object.fromEntries(await Promise.all(Object.entries(endpoints).map(fault)));
}"""


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A static site, whose server takes no POST."""
    with hosted(make_site(tmp_path_factory.mktemp("blog"))) as url:
        yield url


def dead_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_each_wrong_endpoint_is_told_apart(context: BrowserContext, served: str, blog: str) -> None:
    told_apart(context.new_page(), served, blog)


def told_apart(page: Page | FirefoxPage, served: str, blog: str) -> None:
    """A page of `blog` gives each fault its own sentence, within 3 s where the machine is not busy."""
    page.goto(blog)
    port = dead_port()
    endpoints = {
        "the site itself": "/api/rlm",
        "a port where nothing listens": f"http://127.0.0.1:{port}/api/rlm",
        "another name of this machine": f"http://localhost:{port}/api/rlm",
        "a server that does not allow the site": f"{served}/api/rlm",
    }
    found = page.evaluate(FAULTS, endpoints)
    print({name: f"{seconds:.2f} s" for name, (*_, seconds) in found.items()})
    assert {name: fault for name, (fault, *_) in found.items()} == {
        "the site itself": "wrong-endpoint",
        "a port where nothing listens": "server-unreachable",
        "another name of this machine": "server-unreachable",
        "a server that does not allow the site": "cors-refused",
    }
    said = {name: detail for name, (_, detail, _) in found.items()}
    assert f"nothing answers model calls at {blog}/api/rlm: it answers 501. The option" in said["the site itself"]
    dead = said["a port where nothing listens"]
    assert f"cannot be reached at http://127.0.0.1:{port}" in dead
    assert "Is it running, is the address right" in dead
    assert "use one name for both" not in dead
    assert "use one name for both." in said["another name of this machine"]
    refused = said["a server that does not allow the site"]
    assert f"Start it with RLM_ALLOWED_ORIGINS={blog}. Where it is no pyodide-rlm server" in refused
