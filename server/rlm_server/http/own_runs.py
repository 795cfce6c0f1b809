"""Own runs: the headless browser behind the routes of `/v1`.

In: the application, and how many runs it may have at once. Out: `kept_runs` in its state, for as long as it serves. The
browser's page is this server's own, opened at its own address with its token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from rlm_core import ConfigError

from ..settings import Settings

if TYPE_CHECKING:
    from ..headless.pool import BrowserPool


def check_runs(settings: Settings, runs: int) -> None:
    """Refuse runs that no program could ask for.

    Raises:
        ConfigError: there is no token.
    """
    if runs and settings.token is None:
        raise ConfigError(
            "--runs needs RLM_TOKEN (beside RLM_TOKENS, where users have their own): programs send it as their API "
            "key, and the runs call this server with it. Set it to a long random text."
        )


@asynccontextmanager
async def opened_runs(app: Starlette) -> AsyncIterator[None]:
    """The runs of `app`; those under way are stopped at the end of the block."""
    app.state.kept_runs = None
    if not app.state.runs:
        yield
        return
    from ..openai_api.answering import Answering
    from ..openai_api.kept_runs import KeptRuns

    config = app.state.settings.config
    answering = Answering(
        lambda: _pool_of(app),
        lambda: app.state.backend,
        defaults=config.page_defaults if config else {},
        ceilings=config.ceilings if config else {},
    )
    app.state.kept_runs = runs = KeptRuns(answering, most=app.state.runs)
    try:
        yield
    finally:
        await runs.close()
        await answering.close()


def _pool_of(app: Starlette) -> BrowserPool:
    from ..headless.pool import BrowserPool

    settings: Settings = app.state.settings
    assert settings.token is not None, "runs were checked for a token"
    return BrowserPool(app.state.runs, app.state.own_url, token=settings.token.get_secret_value())
