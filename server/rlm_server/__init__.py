"""rlm_server: serves the page and forwards model calls, so that no key ever reaches the browser."""

__version__ = "0.1.0"
