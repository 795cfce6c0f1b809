"""Behind proxies: the address that people open, a prefix, and headers that are believed from trusted ones alone."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from rlm_core import ConfigError
from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from tests.server.conftest import make_settings
from tests.server.test_identity import lines_of

TOKEN = "a-long-random-token"
KNOWN = {"Authorization": f"Bearer {TOKEN}"}
OPENED = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ASK = {"prompt": "q", "model": "nobody:m"}


def behind(assets: Assets, base: str, *, address: str = "10.0.0.1", **values: object) -> TestClient:
    app = create_app(make_settings(token=TOKEN, **values), assets=assets)
    return TestClient(app, base_url=base, client=(address, 5), headers=KNOWN, follow_redirects=False)


@pytest.mark.parametrize("base", ["http://rlm.example", "http://127.0.0.1:8000"])
def test_one_setting_makes_host_and_origin_ours_whichever_host_the_proxy_sends(assets: Assets, base: str) -> None:
    with behind(assets, base, public_url="https://RLM.example:443/") as client:
        assert client.get("/").status_code == 200
        assert client.post("/api/rlm", json=ASK, headers={"Origin": "https://rlm.example"}).status_code == 400
        assert client.post("/api/rlm", json=ASK, headers={"Origin": "https://evil.example"}).status_code == 403
    other = behind(assets, "http://evil.example", public_url="https://rlm.example")
    assert other.get("/").status_code == 403


@pytest.mark.parametrize("prefix", ["/team", "/rlm", "/a/b"])
@pytest.mark.parametrize("path", ["/", "/page/app.js", "/rlm/rlm.js", "/rlm/assets/manifest.json", "/api/health"])
def test_a_prefix_may_be_passed_on_or_stripped(assets: Assets, prefix: str, path: str) -> None:
    client = behind(assets, "http://rlm.example", public_url=f"https://rlm.example{prefix}")
    for sent in (path, prefix + path):
        assert client.get(sent).status_code == 200, sent
    assert client.get(f"{prefix}x{path}").status_code == 404


def test_a_prefix_without_its_slash_leads_to_the_page_and_policies_are_those_of_the_path(assets: Assets) -> None:
    client = behind(assets, "http://rlm.example", public_url="https://rlm.example/team")
    bare = client.get("/team")
    assert (bare.status_code, bare.headers["location"]) == (308, "/team/")
    for path in ("/", "/rlm/assets/worker.0123456789abcdef.js", "/page/app.js"):
        policies = {client.get(sent).headers["content-security-policy"] for sent in (path, f"/team{path}")}
        assert len(policies) == 1


def test_forwarded_headers_are_believed_from_trusted_proxies_alone(
    assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rlm_server.access")
    passed_on = {
        "X-Forwarded-For": "198.51.100.7, 10.0.0.2",
        "X-Forwarded-Proto": "https",
        "X-Request-Id": "req-1",
        "Origin": "https://127.0.0.1",
    }
    trusting = {"trusted_proxies": "10.0.0.0/24"}
    assert behind(assets, "http://127.0.0.1", **trusting).get("/api/health", headers=passed_on).status_code == 200
    line = lines_of(caplog)[-1]
    assert (line["client"], line["proxy_id"]) == ("198.51.100.7", "req-1")
    stranger = behind(assets, "http://127.0.0.1", address="10.0.1.1", **trusting)
    assert stranger.get("/api/health", headers=passed_on).status_code == 403  # its scheme is http all the same
    line = lines_of(caplog)[-1]
    assert (line["client"], "proxy_id" in line) == ("10.0.1.1", False)


def test_a_person_at_a_wrong_address_reads_what_to_set(assets: Assets) -> None:
    page = behind(assets, "http://box.lan").get("/", headers=OPENED)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "This address is not allowed here" in page.text
    assert "RLM_PUBLIC_URL" in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/rlm/rlm.js", "/rlm/assets/manifest.json", "/v1/models"])
def test_a_root_path_alone_may_be_passed_on_or_stripped(assets: Assets, path: str) -> None:
    with behind(assets, "http://127.0.0.1:8000", root_path="/ask/") as client:
        for sent in (path, f"/ask{path}"):
            assert client.get(sent).status_code == (200 if path != "/v1/models" else 404), sent
        assert client.get("/ask").headers["location"] == "/ask/"


def test_two_prefixes_that_differ_are_refused(assets: Assets) -> None:
    behind(assets, "http://rlm.example", root_path="/team", public_url="https://rlm.example/team")
    with pytest.raises(ConfigError, match=r"RLM_ROOT_PATH is /ask, and the path of RLM_PUBLIC_URL is /team"):
        behind(assets, "http://rlm.example", root_path="/ask", public_url="https://rlm.example/team")
    with pytest.raises(ValidationError, match="must be a path such as /ask"):
        make_settings(root_path="/a/../b")
