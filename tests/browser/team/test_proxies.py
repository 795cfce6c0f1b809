"""The files of `deploy/` in real proxies: TLS, a prefix, a token, streams, silence, large bodies, a restart, a run.

Of the files only names, ports, certificates and nginx's two limits are changed: a minute of silence is 3 s here, with
a sign of life each second in place of 15, and 64 MB are 1 MB. A server is gone for 4 s.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from rlm_server.assets import Assets, find_assets
from rlm_server.http import api, call_socket
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.lab import code
from tests.server.call_socket_client import Refused, opened
from tests.server.conftest import settings_for
from tests.server.fake_upstream import (
    FakeUpstream,
    Seen,
    Turn,
    events_turn,
    json_turn,
    openai_deltas,
    openai_reply,
)

ROOT = Path(__file__).parents[3]
TOKEN = "a-long-random-token"
WAIT_SECONDS = 60.0
SILENT_SECONDS = 5.0
"""More than the 3 s that nginx waits for a byte; a heartbeat comes each second."""
GONE_SECONDS = 4.0
RUN_MS = 120_000
CUT_REPLIES = 3
ASKING = """
pieces = [llm_query(f"piece {number}") for number in range(5)]
FINAL(", ".join(pieces))
"""
SERVER_BYTES = 3 << 19
"""Limit of the server, between nginx's and the body that is sent."""
CHANGED = {"proxy_read_timeout 60s": "proxy_read_timeout 3s", "client_max_body_size 64m": "client_max_body_size 1m"}
NGINX = """\
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Site:
    """Addresses of one proxy, of the server behind it, and its certificate."""

    folder: Path
    port: int
    server_port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/team"


def nginx(site: Site) -> list[str]:
    text = (ROOT / "deploy/nginx.conf").read_text()
    changes = {
        **CHANGED,
        "listen 443": f"listen 127.0.0.1:{site.port}",
        "rlm.example.org;": "127.0.0.1;",
        "/etc/ssl/rlm.example.org.pem": f"{site.folder}/site.pem",
        "/etc/ssl/rlm.example.org.key": f"{site.folder}/site.key",
        "127.0.0.1:8000": f"127.0.0.1:{site.server_port}",
    }
    (site.folder / "site.conf").write_text(changed(text, changes))
    user = "user root;" if os.geteuid() == 0 else ""
    (site.folder / "nginx.conf").write_text(NGINX.format(folder=site.folder, user=user))
    return ["nginx", "-p", str(site.folder), "-e", f"{site.folder}/error.log", "-c", f"{site.folder}/nginx.conf"]


def caddy(site: Site) -> list[str]:
    text = (ROOT / "deploy/Caddyfile").read_text()
    name = f"https://127.0.0.1:{site.port} {{\n\ttls {site.folder}/site.pem {site.folder}/site.key"
    changes = {"rlm.example.org {": name, "127.0.0.1:8000": f"127.0.0.1:{site.server_port}"}
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (site.folder / "Caddyfile").write_text(options + changed(text, changes))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{site.folder}/Caddyfile"]


PROXIES: Mapping[str, Callable[[Site], list[str]]] = {"nginx": nginx, "caddy": caddy}


def changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    return Assets(folder, folder, folder, folder)


@pytest.fixture(scope="module", params=PROXIES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A proxy at work; in CI a missing one is a failure."""
    if shutil.which(request.param) is None:
        assert not os.environ.get("CI"), f"{request.param} is missing: run `make proxies`"
        pytest.skip(f"{request.param} is missing: run `make proxies`")
    folder = tmp_path_factory.mktemp(request.param)
    made = Site(folder, free_port(), free_port())
    make_certificate(folder)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        proxy = subprocess.Popen(PROXIES[request.param](made), env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + WAIT_SECONDS
        while not listens(made.port):
            assert proxy.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield made
    finally:
        proxy.terminate()
        proxy.wait(WAIT_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", f"{folder}/site.key", "-out", f"{folder}/site.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=WAIT_SECONDS)


@contextmanager
def served(site: Site, upstream: FakeUpstream, assets: Assets) -> Iterator[None]:
    """The server behind the proxy, until the block ends."""
    settings = settings_for(
        upstream,
        token=TOKEN,
        public_url=site.url,
        trusted_proxies="127.0.0.1",
        store_path=site.folder / "replies",
        connect_seconds=WAIT_SECONDS,
        first_byte_seconds=WAIT_SECONDS,
        total_seconds=2 * WAIT_SECONDS,
        body_seconds=WAIT_SECONDS,
        max_body_bytes=SERVER_BYTES,
    )
    with serving(create_app(settings, assets=assets), port=site.server_port, drain_seconds=0):
        yield


@pytest.fixture
def upstream(site: Site, upstream: FakeUpstream, assets: Assets, monkeypatch: pytest.MonkeyPatch) -> FakeUpstream:
    monkeypatch.setattr(api, "HEARTBEAT_SECONDS", 1.0)
    upstream.reset()
    return upstream


@pytest.fixture
def client(site: Site) -> Iterator[httpx2.Client]:
    """A browser's requests, with the token in place of its cookie."""
    context = ssl.create_default_context(cafile=f"{site.folder}/site.pem")
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": site.url.removesuffix("/team")}
    with httpx2.Client(verify=context, headers=headers, trust_env=False, timeout=WAIT_SECONDS) as client:
        yield client


def asked(prompt: str) -> dict[str, Any]:
    return {"prompt": prompt, "model": "openai:m", "stream": True}


def test_page_api_and_probes_are_below_the_prefix_and_need_the_token(
    site: Site, upstream: FakeUpstream, client: httpx2.Client, assets: Assets
) -> None:
    with served(site, upstream, assets):
        assert "<title>page</title>" in client.get(f"{site.url}/").text
        assert client.get(f"{site.url}/api/models").json()["models"]
        assert client.get(f"{site.url}/healthz", headers={"Authorization": ""}).status_code == 200
        assert (client.get(site.url).status_code, client.get(site.url).headers["location"][-6:]) == (308, "/team/")
        for forged in ({}, {"X-Forwarded-User": "ann", "X-Forwarded-For": "127.0.0.1"}):
            refused = client.get(f"{site.url}/api/models", headers={"Authorization": "", **forged})
            assert (refused.status_code, refused.json()["type"]) == (401, "/problems/token-required")
        typed = {"Authorization": "", "Accept": "text/html"}
        signed = client.post(f"{site.url}/sign-in", data={"token": TOKEN}, headers=typed)
        assert (signed.status_code, "Path=/team/; SameSite=lax; Secure" in signed.headers["set-cookie"]) == (303, True)


def test_pieces_pass_as_they_come_and_silence_does_not_end_a_stream(
    site: Site, upstream: FakeUpstream, client: httpx2.Client, assets: Assets
) -> None:
    events = events_turn(*openai_deltas("first", " last"))
    upstream.script(Turn(headers=events.headers, chunks=events.chunks, held=True))
    with (
        served(site, upstream, assets),
        client.stream("POST", f"{site.url}/api/rlm", json=asked("q")) as response,
    ):
        lines = response.iter_lines()
        assert '"first"' in next(lines)
        released = threading.Timer(SILENT_SECONDS, upstream.release)
        released.start()
        rest = "\n".join(lines)
    assert rest.count(": waiting") >= 3
    assert '" last"' in rest
    assert '"done": true' in rest


def test_the_call_socket_passes_and_silence_does_not_end_it(
    site: Site, upstream: FakeUpstream, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_socket, "HEARTBEAT_SECONDS", 1.0)
    upstream.script(Turn(chunks=json_turn(openai_reply("late")).chunks, held=True))
    tls = ssl.create_default_context(cafile=f"{site.folder}/site.pem")
    way = {"path": "/team/api/rlm/socket", "origin": site.url.removesuffix("/team")}
    with served(site, upstream, assets):
        with pytest.raises(Refused) as refused, opened(site.url, tls=tls, **way):
            pass
        assert (refused.value.status, refused.value.json()["type"]) == (401, "/problems/token-required")
        with opened(site.url, tls=tls, authorization=f"Bearer {TOKEN}", **way) as page:
            page.ask(1, {"prompt": "q", "model": "openai:m"})
            assert upstream.arrived.acquire(timeout=WAIT_SECONDS)
            released = threading.Timer(SILENT_SECONDS, upstream.release)
            released.start()
            assert page.whole(1)[0].json()["text"] == "late"
            assert page.beats >= 3


def test_a_body_beyond_the_limit_is_refused_by_nginx_itself_and_behind_caddy_by_the_server(
    site: Site, upstream: FakeUpstream, client: httpx2.Client, assets: Assets
) -> None:
    with served(site, upstream, assets):
        prompt = base64.b64encode(os.urandom(2 << 20)).decode()
        response = client.post(f"{site.url}/api/rlm", json=asked(prompt))
    assert (response.status_code, upstream.seen) == (413, [])
    is_ours = response.headers["content-type"] == "application/problem+json"
    assert is_ours is ("caddy" in site.folder.name)
    assert f"{SERVER_BYTES:,}" in response.text if is_ours else "nginx" in response.text


def test_a_restart_is_a_502_of_the_proxy_and_nothing_is_paid_twice(
    site: Site, upstream: FakeUpstream, client: httpx2.Client, assets: Assets
) -> None:
    upstream.script(events_turn(*openai_deltas("once")))
    key = {"Idempotency-Key": f"run-{secrets.token_hex(8)}/0"}
    with served(site, upstream, assets):
        first = whole_reply(client, site, key)
    gone = client.post(f"{site.url}/api/rlm", json=asked("q"), headers=key)
    with served(site, upstream, assets):
        again = whole_reply(client, site, key)
    assert gone.status_code == 502
    assert '"once"' in first
    assert '"once"' in again
    assert '"from_store": true' in again
    assert len(upstream.seen) == 1


def whole_reply(client: httpx2.Client, site: Site, key: Mapping[str, str]) -> str:
    """The events of a reply; one that is cut is asked again under its key, as the page does.

    Caddy 2.6 on a busy machine ends a stream whose head comes before Caddy has seen the end of the request, in 2 of
    150 runs of this test: "aborting with incomplete response", and 200 without a body.
    """
    for _ in range(CUT_REPLIES):
        text = client.post(f"{site.url}/api/rlm", json=asked("q"), headers=key).text
        if '"done": true' in text:
            return text
    raise AssertionError(f"{CUT_REPLIES} replies in turn were cut")


def begin_run(page: Page, site: Site) -> None:
    """Sign in and ask."""
    page.goto(f"{site.url}/")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/")
    page.fill("#model", "openai:m")
    page.press("#model", "Enter")
    page.fill("#context-text", "five pieces")
    page.fill("#question", "What are the pieces?")
    page.click("#run")


def test_a_run_continues_after_its_server_was_gone_and_no_piece_is_paid_twice(
    site: Site, upstream: FakeUpstream, browser: Browser
) -> None:
    paid: list[str] = []
    lost = threading.Event()

    def answer(seen: Seen) -> Turn:
        prompt = str(seen.json()["messages"][-1]["content"])
        if "piece" not in prompt.split():
            return events_turn(*openai_deltas(code(ASKING)))
        if prompt == "piece 2" and not lost.is_set():
            lost.set()
            return Turn(silent=True)
        paid.append(prompt)
        return json_turn(openai_reply(f"{prompt} is known"))

    upstream.answer = answer
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    with served(site, upstream, find_assets()):
        begin_run(page, site)
        assert wait_for(lost, page)
    page.wait_for_timeout(GONE_SECONDS * 1_000)
    with served(site, upstream, find_assets()):
        expect(page.locator("#answer")).to_contain_text("piece 0 is known, piece 1 is known, piece 2", timeout=RUN_MS)
        expect(page.locator("#answer")).to_contain_text("piece 4 is known")
    context.close()
    assert paid == [f"piece {number}" for number in range(5)]


def wait_for(event: threading.Event, page: Page) -> bool:
    """Wait while the page does its work: the driver must not stand still."""
    until = time.monotonic() + RUN_MS / 1_000
    while not event.is_set() and time.monotonic() < until:
        page.wait_for_timeout(50)
    return event.is_set()
