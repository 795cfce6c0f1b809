"""Runs without a window, for programs: `from rlm_server.headless import BrowserRLM`."""

from .arguments import Child, Options, QuestionArguments, RLMArguments, RunArguments
from .blocking import BlockingBrowserRLM, BlockingSession
from .browser import BrowserMissing
from .browser_rlm import BrowserRLM, Run, Session
from .page import BrowserLost
from .result import HeadlessResult

__all__ = [
    "BlockingBrowserRLM",
    "BlockingSession",
    "BrowserLost",
    "BrowserMissing",
    "BrowserRLM",
    "Child",
    "HeadlessResult",
    "Options",
    "QuestionArguments",
    "RLMArguments",
    "Run",
    "RunArguments",
    "Session",
]
