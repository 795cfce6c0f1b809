"""A Chromium for headless runs and tests: its path, and the options of its launch. Nothing here starts it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from rlm_core import RLMError

from ..loopback import is_loopback

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
HEADLESS_SHELL = "chromium-headless-shell"
"""Chromium without a window of its own: a run takes 120 MB less in it than in the whole browser."""
OFF = (
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
    "SpareRendererForSitePerProcess",
    # all below: Playwright's own list, which this one replaces, as Chromium reads the last one alone
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
)
"""Features of Chromium that are off. The first two are popups of the address bar, drawn by a page and a process in each
window, shown or not: more than half of the processor time that a browser takes to start. The third is a process for a
next site, which never comes: 29 MB."""

ON = (
    "NetworkServiceInProcess2",
    # all below: Playwright's own list, as above
    "CDPScreenshotNewSurface",
    "SkipListAccountsWithoutGaiaCookies",
)
"""Features of Chromium that are on. The first one is the network service in the browser's process, with the same rights
there as in its own, since Playwright starts Chromium without its process sandbox: 33 MB."""

QUIET = (
    f"--disable-features={','.join(OFF)}",
    f"--enable-features={','.join(ON)}",
    "--disable-background-networking",
    "--disable-component-update",
    "--component-updater=url-source=none://none/",
    "--gaia-url=http://127.0.0.1:1",
    "--disable-domain-reliability",
    "--no-pings",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
"""Launch arguments that keep the browser from calling its vendor. Two services have no switch: the updater gets
a scheme that nothing answers, the account service a port that Chromium never connects to."""

NO_DISPLAY = ("--disable-gpu", "--disable-software-rasterizer")
"""Launch arguments of a page that nobody sees: no process draws it."""


def launch_options(url: str) -> dict[str, Any]:
    """Options of Playwright's launch for a page of the server at `url`, whose host is the only one that has an address.

    The driver would close the browser at a signal, before the run is stopped: signals are this process's. A server on
    plain HTTP in a network is treated as secure, as its address was chosen by the caller: the worker's memory is
    shared with secure pages only.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    arguments = [*QUIET, *NO_DISPLAY, *(["--no-proxy-server"] if is_loopback(host) else [])]
    if is_loopback(host) or not any(getproxies()):
        arguments.append(f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}")
    if parts.scheme == "http" and not is_loopback(host):
        arguments.append(f"--unsafely-treat-insecure-origin-as-secure=http://{parts.netloc}")
    return {"args": arguments, "handle_sigint": False, "handle_sigterm": False, "handle_sighup": False}


REMEDY = "Install Chromium (`apt-get install chromium`), or run `python -m playwright install chromium`."


class BrowserMissing(RLMError):
    """No Chromium on this machine; the message says how to get one."""


def find_browser(playwrights: str | None = None) -> Path:
    """The Chromium to run: `PYODIDE_RLM_BROWSER`, one on the PATH, or the one that Playwright installed.

    Args:
        playwrights: path that a running driver has for its own; without it a driver is started and asked, which no
            event loop may be around.

    Raises:
        BrowserMissing: there is none.
    """
    named = os.environ.get("PYODIDE_RLM_BROWSER")
    if named:
        if not Path(named).is_file():
            raise BrowserMissing(f"PYODIDE_RLM_BROWSER names {named}, which is not a file. {REMEDY}")
        return Path(named)
    found = next(filter(None, map(shutil.which, NAMES)), None) or playwrights or _path_by_playwright()
    if found is None or not Path(found).is_file():
        raise BrowserMissing(f"No Chromium found: tried {', '.join(NAMES)} and Playwright's own. {REMEDY}")
    return Path(found)


def find_headless_browser(playwrights: str | None = None) -> Path:
    """The Chromium for runs without a window: as `find_browser`, but the smaller one where the PATH has it.

    Raises:
        BrowserMissing: there is none.
    """
    shell = None if os.environ.get("PYODIDE_RLM_BROWSER") else shutil.which(HEADLESS_SHELL)
    return find_browser(playwrights) if shell is None else Path(shell)


def _path_by_playwright() -> str | None:
    """The path of Playwright's own Chromium, installed or not."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path
