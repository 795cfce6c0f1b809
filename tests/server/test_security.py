"""Who may ask, and the headers of every response."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from rlm_core.errors import ConfigError
from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.security import FIXED_HEADERS, OTHER_CSP, WORKER_CSP
from tests.server.conftest import make_settings

TOKEN = "a-long-random-token"
ASK = {"prompt": "q", "model": "nobody:m"}
ROUTES = [
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/page/app.js", 200),
    ("GET", "/page/missing.js", 404),
    ("GET", "/page/", 404),
    ("GET", "/rlm/rlm.js", 200),
    ("GET", "/rlm/sandbox/boot.py", 404),
    ("GET", "/rlm/assets/manifest.json", 200),
    ("GET", "/rlm/assets/worker.0123456789abcdef.js", 200),
    ("GET", "/vendor/preact.mjs", 200),
    ("GET", "/api/models", 200),
    ("GET", "/api/health", 200),
    ("GET", "/api/rlm", 405),
    ("POST", "/api/rlm", 415),
    ("POST", "/page/app.js", 405),
    ("DELETE", "/api/models", 405),
    ("OPTIONS", "/api/rlm", 405),
    ("TRACE", "/", 405),
    ("GET", "/nothing", 404),
    ("GET", "/api", 404),
    ("GET", "//evil.example/", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_every_response_is_isolated(client: httpx2.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, f"{str(client.base_url).rstrip('/')}{path}")
    assert response.status_code == status
    assert {name: response.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS
    assert response.headers["content-security-policy"]
    assert "access-control-allow-origin" not in response.headers


def test_any_page_sees_that_the_server_lives_and_reads_nothing_of_it(client: httpx2.Client) -> None:
    response = client.get("/healthz", headers={"Origin": "https://elsewhere.example"})
    assert (response.status_code, response.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(("method", "path", "status"), [row for row in ROUTES if row[2] >= 400])
def test_every_error_is_a_problem_with_a_detail(client: httpx2.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, f"{str(client.base_url).rstrip('/')}{path}")
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "retryable", "upstream"}
    assert problem["status"] == status
    assert len(problem["detail"]) > 20


def test_the_page_may_run_only_what_is_ours(client: httpx2.Client) -> None:
    assert client.get("/").headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def test_the_worker_alone_gets_the_contained_policy(client: httpx2.Client) -> None:
    assert client.get("/rlm/assets/worker.0123456789abcdef.js").headers["content-security-policy"] == WORKER_CSP
    assert WORKER_CSP == "sandbox allow-scripts; default-src 'none'; script-src 'wasm-unsafe-eval'"
    for path in ("/rlm/rlm.js", "/page/app.js", "/vendor/preact.mjs", "/rlm/assets/manifest.json"):
        assert client.get(path).headers["content-security-policy"] == OTHER_CSP


def test_a_missing_worker_is_contained_too(client: httpx2.Client) -> None:
    assert client.get("/rlm/assets/worker.ffff.js").headers["content-security-policy"] == WORKER_CSP


def test_a_fault_of_ours_is_an_isolated_problem_without_words(assets: Assets, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(make_settings(), assets=assets)

    def fail(request: Request) -> Response:
        raise RuntimeError("inner words")

    app.router.add_route("/fail", fail)
    response = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False).get("/fail")
    assert response.status_code == 500
    assert response.json()["type"] == "/problems/internal-error"
    assert "inner words" not in response.text
    assert {name: response.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"])
def test_a_name_of_this_machine_is_ours(client: httpx2.Client, host: str) -> None:
    assert client.get("/api/health", headers={"Host": host, "Origin": f"http://{host.lower()}"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "0.0.0.0", "[::]:80"],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/api/models"), ("POST", "/api/rlm")])
def test_another_host_is_refused_before_the_body(client: httpx2.Client, host: str, method: str, path: str) -> None:
    response = client.request(method, path, headers={"Host": host}, json=ASK)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/host-refused")


def test_an_allowed_host_is_matched_by_its_exact_value(no_assets: Assets) -> None:
    app = create_app(make_settings(allowed_hosts="rlm.example.org:8443"), assets=no_assets)
    client = TestClient(app)
    statuses = [
        client.get("/api/health", headers={"Host": host}).status_code
        for host in ("rlm.example.org:8443", "RLM.example.org:8443", "rlm.example.org", "x.rlm.example.org:8443")
    ]
    assert statuses == [200, 200, 403, 403]


BAD_ORIGINS = ["null", "http://evil.example", "https://127.0.0.1", "http://127.0.0.1", "file://", "http://localhost:1"]


@pytest.mark.parametrize("origin", BAD_ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(client: httpx2.Client, origin: str, method: str) -> None:
    path = "/api/models" if method == "GET" else "/api/rlm"
    response = client.request(method, path, headers={"Origin": origin})
    assert (response.status_code, response.json()["type"]) == (403, "/problems/origin-refused")
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "x"])
def test_a_request_for_another_site_is_refused(client: httpx2.Client, site: str) -> None:
    for path in ("/", "/page/app.js", "/rlm/assets/manifest.json", "/api/models"):
        assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_followed_link_is_let_in_but_a_frame_is_not(server: str) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert httpx2.get(f"{server}/", headers=link).status_code == 200
    assert httpx2.get(f"{server}/", headers={**link, "Sec-Fetch-Dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_page_is_let_in(client: httpx2.Client, site: str) -> None:
    assert client.get("/api/models", headers={"Sec-Fetch-Site": site}).status_code == 200


TWICE = {
    "origin": [("Origin", "{own}"), ("Origin", "https://evil.example")],
    "origin, the other way round": [("Origin", "https://evil.example"), ("Origin", "{own}")],
    "sec-fetch-site": [("Origin", "{own}"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    "authorization": [("Origin", "{own}"), ("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
}


@pytest.mark.parametrize("headers", TWICE.values(), ids=TWICE.keys())
def test_a_header_that_decides_may_come_once_only(server: str, headers: list[tuple[str, str]]) -> None:
    sent = [(name, value.format(own=server)) for name, value in headers]
    assert httpx2.post(f"{server}/api/rlm", json=ASK, headers=sent).status_code == 403
    assert httpx2.get(f"{server}/api/models", headers=sent).status_code == 403


MALFORMED_HOSTS = [
    "127.0.0.1:80:80",
    "127.0.0.1:port",
    "127.0.0.1:",
    "user@127.0.0.1",
    "127.0.0.1/path",
    "127.0.0.1#x",
    "localhost:123456",
    "[::1",
    "[::1]x",
    "[]",
    "localhost.evil.example",
    "",
]


@pytest.mark.parametrize("host", MALFORMED_HOSTS)
def test_a_malformed_host_is_refused(client: httpx2.Client, host: str) -> None:
    assert client.get("/api/models", headers={"Host": host}).status_code in (400, 403)


def test_a_program_without_origin_needs_the_token(server: str) -> None:
    response = httpx2.post(f"{server}/api/rlm", json=ASK)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/origin-refused")
    assert "RLM_TOKEN" in response.json()["detail"]


@pytest.fixture
def tokened(no_assets: Assets) -> TestClient:
    return TestClient(create_app(make_settings(token=TOKEN), assets=no_assets), base_url="http://127.0.0.1")


@pytest.fixture
def reachable(no_assets: Assets) -> TestClient:
    app = create_app(make_settings(token=TOKEN, host="0.0.0.0", allowed_hosts="box.lan"), assets=no_assets)
    return TestClient(app, base_url="http://box.lan")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{token}".encode()).decode()}


def test_a_program_with_the_token_is_let_in(tokened: TestClient) -> None:
    with tokened:
        assert tokened.post("/api/rlm", json=ASK, headers=bearer(TOKEN)).status_code == 400
        assert tokened.post("/api/rlm", json=ASK, headers=bearer("wrong")).status_code == 401
        assert tokened.post("/api/rlm", json=ASK, headers={"Origin": "http://127.0.0.1"}).status_code == 401


BAD_CREDENTIALS = [
    {},
    bearer(""),
    bearer("wrong"),
    bearer(TOKEN + "x"),
    basic("wrong"),
    {"Authorization": TOKEN},
    {"Authorization": f"Token {TOKEN}"},
    {"Authorization": "Basic !!!"},
    {"Authorization": "Basic /w=="},
]


@pytest.mark.parametrize("headers", BAD_CREDENTIALS)
@pytest.mark.parametrize("path", ["/", "/api/health", "/api/models", "/nothing"])
@pytest.mark.parametrize("address", ["reachable", "tokened"])
def test_with_a_token_no_request_passes_without_it_also_on_loopback(
    request: pytest.FixtureRequest, headers: dict[str, str], path: str, address: str
) -> None:
    client: TestClient = request.getfixturevalue(address)
    response = client.get(path, headers=headers)
    assert (response.status_code, response.json()["type"]) == (401, "/problems/token-required")
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert TOKEN not in response.text


@pytest.mark.parametrize("headers", [bearer(TOKEN), basic(TOKEN)])
def test_beyond_this_machine_the_token_lets_in(reachable: TestClient, headers: dict[str, str]) -> None:
    assert reachable.get("/api/health", headers=headers).status_code == 200
    assert reachable.get("/api/health", headers={**headers, "Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_another_address_is_refused_without_a_token(no_assets: Assets, host: str) -> None:
    with pytest.raises(ConfigError, match="RLM_TOKEN"):
        create_app(make_settings(host=host), assets=no_assets)


@pytest.fixture
def embedded(no_assets: Assets) -> Iterator[TestClient]:
    app = create_app(make_settings(allowed_origins="https://notes.example"), assets=no_assets)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_a_configured_origin_may_call_the_api(embedded: TestClient) -> None:
    headers = {"Origin": "https://notes.example", "Sec-Fetch-Site": "cross-site"}
    response = embedded.post("/api/rlm", json=ASK, headers=headers)
    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == "https://notes.example"
    assert "Origin" in response.headers["vary"]


def test_a_configured_origin_may_ask_before(embedded: TestClient) -> None:
    headers = {"Origin": "https://notes.example", "Access-Control-Request-Method": "POST"}
    response = embedded.options("/api/rlm", headers=headers)
    assert (response.status_code, response.headers["access-control-allow-methods"]) == (204, "GET, POST")
    assert "idempotency-key" in response.headers["access-control-allow-headers"]
    assert "retry-after" in response.headers["access-control-expose-headers"]
    assert embedded.options("/api/rlm", headers={**headers, "Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("origin", ["https://notes.example.evil", "http://notes.example", "https://NOTES.example/"])
def test_an_origin_is_matched_by_its_exact_value(embedded: TestClient, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for response in (
        embedded.options("/api/rlm", headers=headers),
        embedded.post("/api/rlm", json=ASK, headers=headers),
    ):
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


def test_frames_are_allowed_as_configured(assets: Assets) -> None:
    app = create_app(make_settings(frame_ancestors="'self' https://notes.example"), assets=assets)
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    response = TestClient(app, base_url="http://127.0.0.1").get("/", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-security-policy"].endswith("frame-ancestors 'self' https://notes.example")
