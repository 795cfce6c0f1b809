"""Reruns: a test that runs once more has the fixtures of its module and of its package made anew.

In: pytest's item, whose attempts pytest-rerunfailures counts. Fixtures of the session stay as they are.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """End what the first attempt may have changed: a server that keeps its replies, a recorded run, a page."""
    if not isinstance(item, pytest.Function) or getattr(item, "execution_count", 1) == 1:
        return
    for fixtures in item._fixtureinfo.name2fixturedefs.values():
        for fixture in fixtures:
            if fixture.scope in ("module", "package"):
                fixture.finish(item._request)  # type: ignore[arg-type]  # it asks for the node alone
