"""One browser for all tests of this folder; each run has its own worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_server.headless import BlockingBrowserRLM
from tests.browser.scripted_model import ScriptedModel, scripted_model


@pytest.fixture(scope="package")
def model(chromium: Path) -> Iterator[ScriptedModel]:
    with scripted_model() as scripted:
        yield scripted


@pytest.fixture(scope="package")
def rlm(model: ScriptedModel) -> Iterator[BlockingBrowserRLM]:
    with BlockingBrowserRLM(model.url, model="openai:m") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick(model: ScriptedModel) -> None:
    model.sub_seconds = 0.0
    model.arrived.clear()
