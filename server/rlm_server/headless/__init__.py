"""Runs without a window, for programs: `from rlm_server.headless import BrowserRLM`."""

from .browser_rlm import BlockingBrowserRLM, BrowserRLM, EventSink, HeadlessResult, OnEgress

__all__ = ["BlockingBrowserRLM", "BrowserRLM", "EventSink", "HeadlessResult", "OnEgress"]
