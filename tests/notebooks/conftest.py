"""The Chromium of this machine, for the pages of notebook servers and of the kernels' runs."""

from tests.browser.conftest import browser, chromium, playwright

__all__ = ["browser", "chromium", "playwright"]
