"""Installs a Chromium for headless runs and tests.

`python -m rlm_server.headless.install` prints where it is, and installs it when there is none. The package does not
import this module, which runs as a program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .browser import HEADLESS_SHELL, BrowserMissing, find_browser


def install_browser() -> Path:
    """Install a Chromium with the system's packages when this is root on Debian, else with Playwright.

    Raises:
        BrowserMissing: neither worked; their output is on stderr.
    """
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        for packages in (["chromium", "chromium-driver"], [HEADLESS_SHELL]):  # a distribution may lack the second
            subprocess.run(
                ["apt-get", "install", "-y", "-qq", *packages],
                check=False,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.DEVNULL,
            )
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return find_browser()


def main() -> int:
    """Print the browser's path; install it first when there is none. Exit status 1 says that neither worked."""
    try:
        path = find_browser()
    except BrowserMissing:
        print("no Chromium found; installing one", file=sys.stderr)
        try:
            path = install_browser()
        except BrowserMissing as missing:
            print(missing, file=sys.stderr)
            return 1
    print(f"browser: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
