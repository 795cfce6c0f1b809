"""Requests, fuzzed: every answer is typed, isolated and shared with nobody; the upstream gets a listed model, its
messages, and nothing else of the client's.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlm_server.http.problems import PROBLEM_TYPES
from rlm_server.http.security import FIXED_HEADERS
from tests.server.conftest import PLANTED_KEY
from tests.server.fake_upstream import FakeUpstream, json_turn, openai_reply

FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
quick = settings(max_examples=100, deadline=None, suppress_health_check=FIXTURES)
TYPES = {f"/problems/{slug}" for slug in PROBLEM_TYPES}
KNOWN = ("prompt", "messages", "type", "prompts", "model", "stream")
REFUSED = ("api_base", "api_key", "base_url", "tools", "plugins", "extra_body", "headers", "role", "__proto__", "")

text = st.text(max_size=12) | st.sampled_from(["a", " ", "batch", "user", "\ud800", PLANTED_KEY[:6]])
scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
anything = st.recursive(scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
models = st.sampled_from(["openai:m", "anthropic:m", "openai:x", "m", "", "builtin:extractive", "openai:m\n"]) | text
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": text | anything},
        optional={"name": text, "tool_calls": anything},
    ),
    max_size=3,
)
fields = {
    "prompt": text | anything,
    "messages": messages | anything,
    "type": st.just("batch") | anything,
    "prompts": st.lists(text, max_size=3) | anything,
    "model": models | anything,
    "stream": st.booleans() | anything,
}
shaped = st.one_of(
    st.fixed_dictionaries({"prompt": text}, optional={"model": models, "stream": st.booleans()}),
    st.fixed_dictionaries({"messages": messages}, optional={"model": models, "stream": st.booleans()}),
    st.fixed_dictionaries(
        {"type": st.just("batch"), "prompts": st.lists(text, max_size=3)},
        optional={"model": models, "stream": st.booleans(), "extra": anything},
    ),
    st.fixed_dictionaries({}, optional={**fields, **dict.fromkeys(REFUSED, anything)}),
)
token_text = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=12)
header_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
names = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    "evil.example",
    "localhost.evil.example",
    "127.1",
    "0",
    "[::]",
    "2130706433",
]
hosts = st.builds("{}{}".format, st.sampled_from(names), st.sampled_from(["", ":80", ":x", "@evil", "."])) | header_text
origins = st.builds("{}://{}".format, st.sampled_from(["http", "https", "file", "HTTP"]), hosts) | header_text
paths = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["api", "rlm", "page", "..", ".", "", ".env", "%2e%2e", "assets", "secret.js"])).map(
        "/".join
    ),
)


def check(response: httpx2.Response) -> None:
    """Every answer is isolated, of a fixed kind, and without a word of ours about how it came about."""
    assert {name: response.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS
    assert not [name for name in response.headers if name.startswith("access-control-")]
    assert response.headers["content-security-policy"]
    assert response.status_code < 500
    assert "Traceback" not in response.text
    assert PLANTED_KEY not in response.text
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] in TYPES


def check_forwarded(seen: Mapping[str, object]) -> None:
    """A call is the configured model and text, in the dialect's own words."""
    ours = {"max_tokens": 8192, "stream": True, "stream_options": {"include_usage": True}}
    assert seen["model"] == "m"
    assert set(seen) <= {"model", "messages", "system", *ours}
    assert all(ours[name] == value for name, value in seen.items() if name in ours)
    turns = seen["messages"]
    assert isinstance(turns, list)
    assert all(set(turn) == {"role", "content"} and isinstance(turn["content"], str) for turn in turns)


@pytest.mark.slow
@quick
@given(body=shaped | anything)
def test_any_json_is_answered_or_refused_and_never_forwarded_as_it_is(
    client: httpx2.Client, running_upstream: FakeUpstream, body: object
) -> None:
    running_upstream.reset()
    running_upstream.script(json_turn({**openai_reply("ok"), "content": [{"type": "text", "text": "ok"}]}))
    content = json.dumps(body).encode()
    response = client.post("/api/rlm", content=content, headers={"Content-Type": "application/json"})
    check(response)
    if response.status_code != 200:
        assert running_upstream.seen == []
        return
    assert isinstance(body, dict)
    assert set(body) <= set(KNOWN)
    for seen in running_upstream.seen:
        assert seen.path in ("/v1/chat/completions", "/v1/messages")
        assert PLANTED_KEY in seen.headers.get("authorization", "") + seen.headers.get("x-api-key", "")
        check_forwarded(seen.json())


@pytest.mark.slow
@quick
@given(
    body=st.fixed_dictionaries({"prompt": st.just("q")}) | st.just({"type": "batch", "prompts": ["q"]}),
    more=st.dictionaries(st.sampled_from(REFUSED) | text, anything, min_size=1, max_size=2),
)
def test_any_field_that_is_not_listed_is_refused(
    client: httpx2.Client, running_upstream: FakeUpstream, body: dict[str, object], more: dict[str, object]
) -> None:
    running_upstream.reset()
    content = json.dumps({**more, **body}).encode()
    response = client.post("/api/rlm", content=content, headers={"Content-Type": "application/json"})
    check(response)
    assert (response.status_code, running_upstream.seen) == (400, [])
    assert response.json()["type"] in ("/problems/unknown-field", "/problems/invalid-request")


@quick
@given(body=st.binary(max_size=200))
def test_any_bytes_are_refused(client: httpx2.Client, running_upstream: FakeUpstream, body: bytes) -> None:
    running_upstream.reset()
    response = client.post("/api/rlm", content=body, headers={"Content-Type": "application/json"})
    check(response)
    assert response.status_code == 400
    assert running_upstream.seen == []


@quick
@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE"]) | token_text, path=paths)
def test_any_route_is_one_of_ours_or_refused(
    client: httpx2.Client, running_upstream: FakeUpstream, method: str, path: str
) -> None:
    running_upstream.reset()
    target = quote(path, safe="/%.", errors="replace")
    if method == "CONNECT":
        return
    response = client.request(method, f"{str(client.base_url).rstrip('/')}/{target}")
    check(response)
    assert b"outside" not in response.content
    assert b"SECRET" not in response.content
    assert running_upstream.seen == []


@quick
@given(host=hosts)
def test_any_host_but_ours_is_refused(client: httpx2.Client, running_upstream: FakeUpstream, host: str) -> None:
    running_upstream.reset()
    running_upstream.script(json_turn(openai_reply()))
    response = client.post("/api/rlm", json={"prompt": "q"}, headers={"Host": host, "Origin": f"http://{host}"})
    if response.status_code == 400 and "http-error" in response.text:
        return  # no request at all, by HTTP's own rules
    check(response)
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() not in ("localhost", "127.0.0.1", "::1"):
        assert (response.status_code, response.json()["type"]) == (403, "/problems/host-refused")
        assert running_upstream.seen == []


@quick
@given(origin=origins, site=st.sampled_from([None, "none", "same-origin", "cross-site"]) | header_text)
def test_any_origin_but_ours_is_refused(
    client: httpx2.Client, running_upstream: FakeUpstream, origin: str, site: str | None
) -> None:
    running_upstream.reset()
    headers = {"Origin": origin, **({} if site is None else {"Sec-Fetch-Site": site})}
    response = client.post("/api/rlm", json={"prompt": "q"}, headers=headers)
    check(response)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/origin-refused")
    assert running_upstream.seen == []


@quick
@given(kind=header_text)
def test_any_media_type_but_json_is_refused(client: httpx2.Client, running_upstream: FakeUpstream, kind: str) -> None:
    running_upstream.reset()
    response = client.post("/api/rlm", content=b'{"prompt": "q"}', headers={"Content-Type": kind})
    check(response)
    if kind.partition(";")[0].lower() != "application/json":
        assert (response.status_code, running_upstream.seen) == (415, [])


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "host", "cookie", "x-forwarded-host", "x-secret"])
def test_no_header_of_the_client_reaches_the_upstream(client: httpx2.Client, upstream: FakeUpstream, name: str) -> None:
    upstream.script(json_turn(openai_reply()))
    value = "localhost:1" if name == "host" else "client-words"
    origin = {"Origin": f"http://{value}"} if name == "host" else {}
    response = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers={name: value, **origin})
    assert response.status_code == 200
    assert value not in str(upstream.seen[0].headers)
