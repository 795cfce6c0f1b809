"""Where the page, the worker's modules and the built assets lie on this machine.

In a checkout they are used in place; an installed wheel carries them under `_static`. Nothing here reads them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rlm_core import ConfigError

PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Assets:
    """Folders that the server hands out.

    Attributes:
        web: the page (`/`, `/page/`).
        worker: the host-side modules (`/rlm/`).
        assets: versioned files and their manifest (`/rlm/assets/`).
        vendor: libraries of the page's single modules (`/vendor/`); a wheel has them in the page's bundle alone.
    """

    web: Path
    worker: Path
    assets: Path
    vendor: Path


def find_assets() -> Assets:
    """Find the folders of this installation.

    Raises:
        ConfigError: they are not built yet; the message names the command that builds them.
    """
    static = PACKAGE / "_static"
    if static.is_dir():
        return Assets(static / "web", static / "worker", static / "assets", static / "assets" / "vendor")
    checkout = PACKAGE.parent.parent
    built = checkout / "build" / "assets"
    if not (built / "manifest.json").is_file():
        raise ConfigError(f"The browser assets are not built: {built} has no manifest.json. Run `make assets`.")
    return Assets(checkout / "web", checkout / "worker", built, built / "vendor")


def packages_folder(chosen: Path | None = None) -> Path:
    """The folder where packages are kept: `chosen`, else one of the user's own."""
    if chosen is not None:
        return chosen
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "pyodide-rlm" / "packages"


def cache_folder() -> Path | None:
    """The folder of files that can be made again: `PYODIDE_RLM_CACHE`, else one of the user's own; `off` is none."""
    chosen = os.environ.get("PYODIDE_RLM_CACHE")
    if chosen:
        return None if chosen == "off" else Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pyodide-rlm"
