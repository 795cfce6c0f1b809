"""Class of the machine behind a provider: a vendor by its exact host, this machine, the local network, or unknown."""

from __future__ import annotations

import pytest

from rlm_server.providers.host_class import host_class

CLASSES = {
    "https://api.openai.com/v1": "openai",
    "https://API.Anthropic.com": "anthropic",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://generativelanguage.googleapis.com/v1beta/openai": "google",
    "http://localhost:11434/v1": "on this machine",
    "http://models.localhost/v1": "on this machine",
    "http://127.0.0.2:8080": "on this machine",
    "http://[::1]:8080": "on this machine",
    "http://192.168.1.7:8000/v1": "on the local network",
    "http://10.0.0.3": "on the local network",
    "https://api.openai.com.example/v1": "",
    "https://not-api.openai.com/v1": "",
    "https://api.openai.com@elsewhere.example/v1": "",
    "https://8.8.8.8/v1": "",
    "": "",
}


@pytest.mark.parametrize(("url", "expected"), CLASSES.items())
def test_a_host_has_a_class_or_none(url: str, expected: str) -> None:
    assert host_class(url) == expected
