"""Large bodies: the same value as Python's parser gives, in bounded memory, while other requests are answered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_server.assets import Assets
from rlm_server.http import large_json
from rlm_server.http.app import create_app
from rlm_server.http.large_json import MAX_STRUCTURE_BYTES, TooManyValues, parse_large
from rlm_server.http.serving import serving
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream

MIB = 1024 * 1024
ROUNDS = 3
TEXTS = st.text(
    st.characters(codec="utf-16-le", categories=None) | st.sampled_from('\\"\n\u00e9\u20ac\U0001f600\ud83d'),
    max_size=60,
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["prompt", "messages", "n"]), VALUES, max_size=3), st.booleans())
@settings(max_examples=300, deadline=None)
def test_it_gives_what_pythons_parser_gives(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")
    expected = json.loads(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_json, "LONG_BYTES", 5)
        patch.setattr(large_json, "PIECE_BYTES", 13)
        assert parse_large(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "' + b"a" * 100_000,
        b'{"prompt": "' + b"a" * 100_000 + b'\\u12"}',
        b'{"prompt": "' + b"a" * 100_000 + b'\\x"}',
        b'{"prompt": "' + b"a" * 100_000 + b'\n"}',
        b'{"prompt": "' + b"a" * 100_000 + b'"',
        b'{"prompt": "' + b"a" * 100_000 + b'" NaN}',
        b'{"prompt": "' + b"a" * 100_000 + b'\xff"}',
    ],
)
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert refused(body, json.loads)
    assert refused(body, parse_large)


def refused(body: bytes, parse: Callable[[bytes], object]) -> bool:
    try:
        parse(body)
    except ValueError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("unit", [b"{},", b'"",', b"0,", b"[],", b" "])
def test_more_structure_than_any_request_has_is_refused(unit: bytes) -> None:
    with pytest.raises(TooManyValues):
        parse_large(b"[" + unit * MAX_STRUCTURE_BYTES + b"0]")


@pytest.mark.slow
def test_other_requests_are_answered_while_a_large_body_is_read(upstream: FakeUpstream, assets: Assets) -> None:
    """In one of a few rounds: a machine with other work may disturb the others."""
    assert any(longest_wait(upstream, assets) < 0.5 for _ in range(ROUNDS))


def longest_wait(upstream: FakeUpstream, assets: Assets) -> float:
    """Seconds that 99 of 100 short requests take at most while two large bodies are read."""
    app = create_app(settings_for(upstream, max_body_bytes=64 * MIB, body_seconds=30), assets=assets)
    bodies = [
        b'{"prompt": [' + b"{}," * (5 * MIB) + b"{}]}",
        b'{"type": "x", "prompts": "' + b"text " * (4 * MIB) + b'"}',
    ]
    statuses: list[int] = []
    with (
        serving(app, drain_seconds=0) as url,
        httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=60) as client,
    ):

        def post() -> None:
            for body in bodies:
                headers = {"Content-Type": "application/json"}
                statuses.append(client.post("/api/rlm", content=body, headers=headers).status_code)

        thread = threading.Thread(target=post)
        thread.start()
        waits = []
        while thread.is_alive():
            began = time.monotonic()
            client.get("/api/health")
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
        thread.join()
    assert statuses == [400, 400]
    return sorted(waits)[int(len(waits) * 0.99)]


MEASURE = """
import resource, sys
from rlm_server.http.large_json import TooManyValues, parse_large
size = 32 * 1024 * 1024
kind = sys.argv[1]
unit = {"text": b"a", "wide": b"\\xe2\\x82\\xac", "braces": b"{},"}[kind]
body = bytearray(b'{"prompt": ' + (b'[' if kind == "braces" else b'"'))
body += unit * (size // len(unit))
body += b"{}]}" if kind == "braces" else b'\\xf0\\x9f\\x98\\x80"}'
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    parse_large(body)
except TooManyValues:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / size)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "wide", "braces"])
def test_a_body_takes_at_most_six_times_its_size(kind: str) -> None:
    measured = subprocess.run([sys.executable, "-c", MEASURE, kind], capture_output=True, check=True, text=True)
    assert float(measured.stdout) + 1 <= 6
