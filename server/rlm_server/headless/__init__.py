"""Runs without a window, for programs: `from rlm_server.headless import BrowserRLM`."""

from .arguments import Child, Options, QuestionArguments, RLMArguments, RunArguments
from .blocking import BlockingBrowserRLM, BlockingSession
from .blocking_pool import BlockingBrowserPool
from .browser import BrowserMissing
from .browser_rlm import BrowserRLM, Run, Session
from .execution import Execution
from .outcomes import Outcome, Row
from .page import BrowserLost
from .pool import BrowserPool
from .python_provider import Provider, ProviderCall
from .result import HeadlessResult

__all__ = [
    "BlockingBrowserPool",
    "BlockingBrowserRLM",
    "BlockingSession",
    "BrowserLost",
    "BrowserMissing",
    "BrowserPool",
    "BrowserRLM",
    "Child",
    "Execution",
    "HeadlessResult",
    "Options",
    "Outcome",
    "Provider",
    "ProviderCall",
    "QuestionArguments",
    "RLMArguments",
    "Row",
    "Run",
    "RunArguments",
    "Session",
]
