"""All tests: properties have no deadline, since a busy machine makes an example slow and no promise is about that; and
Ctrl-C is heard, also by tests that a shell started in its background, where it is ignored. Headless browsers keep their
snapshot beside the build, so that all but its first start quickly, and not in the cache of whoever runs the tests."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["PYODIDE_RLM_CACHE"] = str(Path(__file__).parent.parent / "build" / "cache" / "snapshots")


def pytest_collection_finish() -> None:
    """Modules and the thousands of tests found in them last to the end: no collection of garbage walks them again."""
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A name for a long parameter by its size: pytest would escape each of its characters."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 1_000 else None
