"""Whose a request is: named tokens, the sign-in page and its cookie, a proxy's word; and tries that are slowed."""

from __future__ import annotations

import json
import logging

import pytest
from starlette.testclient import TestClient

from rlm_core.errors import ConfigError
from rlm_server.assets import Assets
from rlm_server.http.app import App, create_app
from rlm_server.http.identity import ATTEMPT_SECONDS, FREE_ATTEMPTS, Attempts
from rlm_server.http.notice_page import NOTICE_CSP
from rlm_server.http.problems import Problem
from tests.server.conftest import make_settings

ANN, BO = "anns-long-random-token", "bos-long-random-token"
TOKENS = f"ann:{ANN},bo:{BO}"
ASK = {"prompt": "q", "model": "nobody:m"}
OPENED = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OWN = {"Origin": "http://127.0.0.1"}


def client_of(
    assets: Assets, *, address: str = "127.0.0.1", base: str = "http://127.0.0.1", **values: object
) -> TestClient:
    app = create_app(make_settings(**values), assets=assets)
    return TestClient(app, base_url=base, client=(address, 5), follow_redirects=False)


@pytest.fixture
def team(assets: Assets) -> TestClient:
    return client_of(assets, tokens=TOKENS)


def lines_of(caplog: pytest.LogCaptureFixture, name: str = "rlm_server.access") -> list[dict[str, object]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == name]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_each_named_token_lets_its_user_in_and_the_log_names_him(
    team: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rlm_server.access")
    for token, user in ((ANN, "ann"), (BO, "bo")):
        assert team.get("/api/health", headers=bearer(token)).status_code == 200
        line = lines_of(caplog)[-1]
        assert (line["user"], line["client"]) == (user, "127.0.0.1")
        assert token not in caplog.text
    assert team.get("/api/health", headers=bearer(ANN + BO)).status_code == 401


def test_a_person_without_a_token_gets_a_page_to_sign_in_and_a_program_gets_json(team: TestClient) -> None:
    page = team.get("/", headers=OPENED)
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == NOTICE_CSP
    assert page.headers["referrer-policy"] == "same-origin"
    assert "www-authenticate" not in page.headers
    assert '<form method="post" action="sign-in">' in page.text
    assert team.get("/").json()["type"] == "/problems/token-required"


def test_the_form_makes_a_session_that_may_use_the_page_and_the_api(team: TestClient) -> None:
    signed = team.post("/sign-in", data={"token": f" {ANN} "}, headers={**OWN, **OPENED})
    assert (signed.status_code, signed.headers["location"]) == (303, "./")
    cookie = signed.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert ANN not in cookie
    with team:
        assert team.get("/", headers=OPENED).status_code == 200
        assert team.post("/api/rlm", json=ASK, headers=OWN).status_code == 400
        refused = team.post("/api/rlm", json=ASK)  # a session is a browser's: a page must have sent this
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/origin-refused")


def test_a_wrong_token_gets_the_form_again_and_no_session(team: TestClient) -> None:
    wrong = team.post("/sign-in", data={"token": "nobodys"}, headers={**OWN, **OPENED})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    assert 'action="sign-in"' in wrong.text
    assert "nobodys" not in wrong.text


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_another_site_cannot_sign_anyone_in(team: TestClient, headers: dict[str, str]) -> None:
    response = team.post("/sign-in", data={"token": ANN}, headers=headers)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


def test_a_form_that_is_too_large_is_no_token(team: TestClient) -> None:
    assert team.post("/sign-in", data={"token": ANN, "rest": "x" * 10_000}, headers=OWN).status_code == 401


def test_a_session_cannot_be_forged_and_ends_with_its_token(team: TestClient, assets: Assets) -> None:
    team.post("/sign-in", data={"token": ANN}, headers=OWN)
    session = team.cookies["rlm_session"]
    user, expiry, signature = session.rsplit(".", 2)
    changed = [f"bo.{expiry}.{signature}", f"{user}.{int(expiry) + 1}.{signature}", f"{user}.1.{signature}", "..", "x"]
    restarted = client_of(assets, tokens=TOKENS)
    for cookie in changed:
        assert restarted.get("/api/health", headers={"Cookie": f"rlm_session={cookie}"}).status_code == 401
    assert restarted.get("/api/health", headers={"Cookie": f"rlm_session={session}"}).status_code == 200
    changed_token = client_of(assets, tokens=f"ann:new-{ANN}")
    assert changed_token.get("/api/health", headers={"Cookie": f"rlm_session={session}"}).status_code == 401


def test_the_cookie_stays_below_the_prefix_and_on_https(assets: Assets) -> None:
    behind = client_of(assets, base="http://rlm.example", token=ANN, public_url="https://rlm.example/team")
    signed = behind.post("/team/sign-in", data={"token": ANN}, headers={"Origin": "https://rlm.example"})
    assert signed.status_code == 303
    assert {"Path=/team/", "Secure"} <= set(signed.headers["set-cookie"].split("; "))


def test_wrong_tokens_are_logged_and_slowed_for_their_address_only(
    assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    guessing = client_of(assets, address="10.0.0.9", tokens=TOKENS)
    for _ in range(FREE_ATTEMPTS):
        assert guessing.get("/api/health", headers=bearer("guess")).status_code == 401
    slowed = guessing.get("/api/health", headers=bearer(ANN))
    assert (slowed.status_code, slowed.json()["type"]) == (429, "/problems/too-many-attempts")
    assert 0 < int(slowed.headers["retry-after"]) <= ATTEMPT_SECONDS
    assert guessing.get("/api/health").status_code == 401  # without a token there is nothing to guess
    other = TestClient(guessing.app, base_url="http://127.0.0.1", client=("10.0.0.8", 5))
    assert other.get("/api/health", headers=bearer(ANN)).status_code == 200
    line = lines_of(caplog, "rlm_server.sign_in")[-1]
    assert (line["sign_in"], line["client"], line["wrong"]) == ("wrong token", "10.0.0.9", FREE_ATTEMPTS)
    assert "guess" not in caplog.text


def test_who_has_waited_may_try_again() -> None:
    now = 0.0
    attempts = Attempts(clock=lambda: now)
    for _ in range(FREE_ATTEMPTS):
        attempts.check("a")
        attempts.count("a")
    with pytest.raises(Problem, match=r"Try again in 60 s"):
        attempts.check("a")
    now = ATTEMPT_SECONDS
    attempts.check("a")


def test_a_user_that_a_trusted_proxy_names_is_let_in_and_nobody_elses_word_counts(
    assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"user_header": "X-Forwarded-User", "trusted_proxies": "10.1.0.0/16"}
    caplog.set_level(logging.INFO, "rlm_server.access")
    named = {"X-Forwarded-User": "ann@example.org"}
    proxy, stranger = client_of(assets, address="10.1.2.3", **values), client_of(assets, address="10.2.0.1", **values)
    assert proxy.get("/api/health", headers=named).status_code == 200
    assert lines_of(caplog)[-1]["user"] == "ann@example.org"
    for client, headers in ((stranger, named), (proxy, {}), (proxy, {"X-Forwarded-User": "a\tb"})):
        refused = client.get("/api/health", headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/token-required")
    twice = [("X-Forwarded-User", "ann"), ("X-Forwarded-User", "bo")]
    assert proxy.get("/api/health", headers=twice).status_code == 403
    page = stranger.get("/", headers=OPENED)
    assert "x-forwarded-user" in page.text
    assert "<form" not in page.text


def test_a_site_that_may_call_needs_the_token_too_and_its_preflight_does_not(assets: Assets) -> None:
    site = {"Origin": "https://notes.example", "Sec-Fetch-Site": "cross-site"}
    with client_of(assets, token=ANN, allowed_origins="https://notes.example") as client:
        asked = client.options("/api/rlm", headers={**site, "Access-Control-Request-Method": "POST"})
        assert (asked.status_code, "authorization" in asked.headers["access-control-allow-headers"]) == (204, True)
        statuses = [
            client.post("/api/rlm", json=ASK, headers={**site, **more}).status_code for more in ({}, bearer(ANN))
        ]
        assert statuses == [401, 400]
        assert client.post("/api/rlm", json=ASK, headers=site).headers["access-control-allow-origin"] == site["Origin"]


REFUSED = [
    ({"public_url": "https://rlm.example"}, "RLM_PUBLIC_URL on rlm.example"),
    ({"host": "0.0.0.0"}, "Listening on 0.0.0.0"),
    ({"user_header": "X-User"}, "RLM_TRUSTED_PROXIES"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_a_start_that_would_let_everyone_in_or_nobody_is_refused(
    no_assets: Assets, values: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        create_app(make_settings(**values), assets=no_assets)


def test_probes_answer_anyone_with_one_word_and_readiness_ends_with_the_drain(assets: Assets) -> None:
    client = client_of(assets, base="http://10.0.0.7:8000", tokens=TOKENS)
    for path in ("/healthz", "/readyz"):
        assert (client.get(path).status_code, client.get(path).json()) == (200, {"status": "ok"})
        assert client.post(path).status_code == 403
    assert isinstance(client.app, App)
    client.app.drain_until = 1.0
    assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 503]
