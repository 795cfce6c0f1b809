"""A server that answers as a model, over a real browser and a scripted upstream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from rlm_server.headless.browser import find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.scripted_model import ScriptedModel
from tests.server.conftest import settings_for
from tests.server.fake_upstream import fake_upstream

TOKEN = "of-the-server-alone"


@dataclass(frozen=True)
class Endpoint:
    """The endpoint, and the model behind it."""

    url: str
    model: ScriptedModel
    token: str = TOKEN


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    find_browser()
    model = ScriptedModel()
    patient = {"connect_seconds": 60, "first_byte_seconds": 60, "total_seconds": 120, "max_body_bytes": 64 << 20}
    with fake_upstream() as upstream:
        upstream.answer, model.upstream = model.answer, upstream.url
        settings = settings_for(upstream, models="openai:m", token=TOKEN, **patient)
        with serving(create_app(settings, runs=2), drain_seconds=0) as url:
            yield Endpoint(f"{url}/v1", model)
