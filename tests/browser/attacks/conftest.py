"""Order of the attacks: tests over one shared run stand side by side, so that one process makes that run."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from .snippet import Snippet


@pytest.fixture(scope="session")
def browser(plain_browser: Browser) -> Browser:
    """Attacks are made in a browser whose processes are those of the command's."""
    return plain_browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests of snippets that share a run by that run, in the positions that such tests have."""
    runs = {at: run for at, item in enumerate(items) if (run := _shared_run(item)) is not None}
    first = {run: at for at, run in reversed(runs.items())}
    ordered = [items[at] for at in sorted(runs, key=lambda at: first[runs[at]])]
    for at, item in zip(runs, ordered, strict=True):
        items[at] = item


def _shared_run(item: pytest.Item) -> tuple[str, str, str, str] | None:
    """The run that a test shares: its file, the channel of its frames, the kind and the group of its snippet."""
    if not isinstance(item, pytest.Function) or not {"together", "frames"} & set(item.fixturenames):
        return None
    snippet = item.callspec.params.get("snippet") if hasattr(item, "callspec") else None
    if not isinstance(snippet, Snippet) or snippet.alone:
        return None
    return str(item.path), str(item.callspec.params.get("frames", "")), snippet.kind, snippet.group
