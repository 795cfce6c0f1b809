"""Public names: adding or dropping one is a decision, not an accident."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import rlm_core

PUBLIC = [
    "ChannelError",
    "ConfigError",
    "Emit",
    "Event",
    "Job",
    "LimitReached",
    "Limits",
    "Message",
    "ModelCall",
    "ModelUsage",
    "Observation",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "RLMError",
    "Recorder",
    "ReplayError",
    "Reply",
    "RunCancelled",
    "RunResult",
    "Session",
    "SubCallError",
    "Tool",
    "ToolError",
    "Trajectory",
    "answer",
    "run",
]

MODULES = sorted(found.name for found in pkgutil.iter_modules(rlm_core.__path__) if "protocol" not in found.name)


def test_the_public_names() -> None:
    assert rlm_core.__all__ == PUBLIC
    assert all(hasattr(rlm_core, name) for name in PUBLIC)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"rlm_core.{name}")).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert len(importlib.import_module(f"rlm_core.{name}").__doc__ or "") > 60


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    assert name in ("Emit", "Event") or getattr(rlm_core, name).__doc__
