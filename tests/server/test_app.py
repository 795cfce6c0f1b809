"""The package as a whole: cheap to import, and startable as a module."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
import time

import pytest

import rlm_server.calls.in_flight
import rlm_server.http.static
import rlm_server.http.wire
import rlm_server.settings
from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.problems import PROBLEM_TYPES, UPSTREAM_SLUGS
from rlm_server.http.serving import serving
from tests.server.conftest import make_settings

HEAVY = {"httpx2", "playwright", "uvicorn"}


@pytest.mark.slow
def test_importing_the_app_loads_no_http_client_and_no_server() -> None:
    code = "import sys, rlm_server.http.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=_environment(), capture_output=True, check=True, text=True
    )
    assert HEAVY.isdisjoint(loaded.stdout.split())


@pytest.mark.slow
def test_an_impossible_address_ends_with_a_sentence_and_status_2() -> None:
    command = [sys.executable, "-m", "rlm_server", "serve", "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, env=_environment(), capture_output=True, check=False, text=True, timeout=20)
    assert ended.returncode == 2
    assert "RLM_TOKEN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_kind_of_upstream_failure_has_its_problem() -> None:
    assert set(UPSTREAM_SLUGS.values()) <= set(PROBLEM_TYPES)
    assert all(row.title and 400 <= row.status < 600 for row in PROBLEM_TYPES.values())


@pytest.mark.parametrize(
    "module", [rlm_server.calls.in_flight, rlm_server.settings, rlm_server.http.static, rlm_server.http.wire]
)
def test_examples_in_docstrings_hold(module: object) -> None:
    results = doctest.testmod(module)  # type: ignore[arg-type]
    assert (results.failed, results.attempted > 0) == (0, True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_default_model_that_does_not_exist_is_logged_at_start(
    assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(create_app(make_settings(default_model="anthropic:claude"), assets=assets), drain_seconds=0):
        deadline = time.monotonic() + 10
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)
    assert any("RLM_DEFAULT_MODEL is 'anthropic:claude'" in message for message in caplog.messages)


@pytest.mark.slow
def test_an_unknown_setting_ends_the_start_with_a_sentence_and_status_2() -> None:
    command = [sys.executable, "-m", "rlm_server", "serve", "--port", "0"]
    environment = {**_environment(), "RLM_MAX_RUN_COSTS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, check=False, text=True, timeout=20)
    assert ended.returncode == 2
    assert "RLM_MAX_RUN_COSTS is no setting (nearest: RLM_MAX_RUN_COST)" in ended.stderr
