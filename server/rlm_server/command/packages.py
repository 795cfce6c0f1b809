"""Packages of the user's choice, for model code to import: resolved, fetched, checked and kept beside the server.

In: names, as pip takes them. Out: wheels and a lock file in the form of Pyodide's, in one folder, which the server
hands out below `/rlm/assets/packages/`. A name is looked up in the lock file of this Pyodide's own distribution first,
which has numpy, pandas and their like with version and hash; else pip finds a wheel with the tag of this interpreter.
Nothing is installed or run here; a worker imports what a run's option `packages` names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rlm_core import ConfigError

LOCK = "pyodide-lock.json"
DISTRIBUTION = "https://cdn.jsdelivr.net/pyodide/v{version}/full/"
"""Address of the distribution's files, as Pyodide's documentation names it."""
MAX_WHEEL_BYTES = 256 << 20
FETCH_SECONDS = 60.0

Package = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Pyodide that workers run.

    Attributes:
        version: of Pyodide.
        info: `info` of its lock file, with Python's version and the ABI.
        distribution: packages of its own distribution, by canonical name.
        built_in: canonical names of the packages that are here without being added.
    """

    version: str
    info: Mapping[str, str]
    distribution: Mapping[str, Package]
    built_in: frozenset[str]

    @classmethod
    def of(cls, assets: Path) -> Interpreter:
        """That of the built assets."""
        manifest = json.loads((assets / "manifest.json").read_text(encoding="utf-8"))

        def lock(name: str) -> dict[str, Any]:
            path = assets / manifest["files"][name]["path"]
            return dict(json.loads(path.read_text(encoding="utf-8")))

        whole = lock("distribution-lock.json")
        built_in = frozenset(canonicalize_name(name) for name in lock(LOCK)["packages"])
        return cls(manifest["pyodide"], whole["info"], whole["packages"], built_in)

    def pip_options(self) -> list[str]:
        """Options with which pip takes wheels for this interpreter (the platform tag of PEP 783), or for any."""
        major, minor, _ = self.info["python"].split(".")
        platform = f"pyemscripten_{self.info['abi_version']}_wasm32"
        return [
            "--only-binary=:all:",
            f"--python-version={major}.{minor}",
            f"--platform={platform}",
            "--platform=any",
            "--implementation=cp",
            f"--abi=cp{major}{minor}",
            "--abi=none",
        ]

    def markers(self) -> dict[str, str]:
        """Values of the markers in a wheel's requirements."""
        major, minor, _ = self.info["python"].split(".")
        return {
            **{name: str(value) for name, value in default_environment().items()},
            "python_version": f"{major}.{minor}",
            "python_full_version": self.info["python"],
            "sys_platform": "emscripten",
            "platform_system": "Emscripten",
            "platform_machine": "wasm32",
            "os_name": "posix",
            "extra": "",
        }


class UnreachableError(ConfigError):
    """A file of the distribution cannot be had from its address."""


class Store:
    """The packages in one folder.

    Args:
        folder: holds the wheels and their lock file; made when the first package is added.
        interpreter: the one that they are for.
        source: address or folder of the distribution's files; by default where Pyodide publishes them.
    """

    def __init__(self, folder: Path, interpreter: Interpreter, source: str | None = None) -> None:
        self.folder = folder
        self._interpreter = interpreter
        self._source = source or DISTRIBUTION.format(version=interpreter.version)

    def packages(self) -> dict[str, Package]:
        """Those that are kept, by canonical name.

        Raises:
            ConfigError: the lock file is broken, or for another interpreter.
        """
        path = self.folder / LOCK
        if not path.is_file():
            return {}
        try:
            lock = json.loads(path.read_text(encoding="utf-8"))
            info, packages = lock["info"], dict(lock["packages"])
        except (ValueError, KeyError, TypeError) as fault:
            raise ConfigError(
                f"{path} is broken ({fault}). Delete {self.folder}, and add the packages again."
            ) from None
        if info["abi_version"] != self._interpreter.info["abi_version"] or info["python"][:4] != self._python[:4]:
            raise ConfigError(
                f"The packages in {self.folder} are for Python {info['python']}, ABI {info['abi_version']}; "
                f"workers run {self._python}, {self._interpreter.info['abi_version']}. "
                "Delete that folder, and add them again."
            )
        return packages

    def add(self, wanted: Sequence[str]) -> list[Package]:
        """Fetch `wanted` and what they need, less what is there; return those that were added.

        Raises:
            ConfigError: a name or a version cannot be had for this interpreter, or has another hash than it should.
        """
        kept = self.packages()
        added: dict[str, Package] = {}
        queue = [_requirement(name) for name in wanted]
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._resolve(queue, kept, added)
        except BaseException:
            for package in added.values():
                if package not in kept.values():
                    (self.folder / package["file_name"]).unlink(missing_ok=True)
            raise
        self._write({**kept, **added})
        return list(added.values())

    def _resolve(self, queue: list[Requirement], kept: Mapping[str, Package], added: dict[str, Package]) -> None:
        """Fill `added` with what `queue` names and needs, but for what is there."""
        while queue:
            requirement = queue.pop(0)
            name = canonicalize_name(requirement.name)
            if name in self._interpreter.built_in or name in added:
                continue
            if name in kept and requirement.specifier.contains(kept[name]["version"], prereleases=True):
                continue
            package = added[name] = self._found(requirement)
            markers = self._interpreter.markers()
            needed = list(_needed(self.folder / package["file_name"], requirement.extras, markers))
            package["depends"] = package["depends"] or sorted({canonicalize_name(each.name) for each in needed})
            queue += needed if name not in self._interpreter.distribution else map(_requirement, package["depends"])

    def remove(self, names: Sequence[str]) -> list[str]:
        """Remove packages; return their wheels' names. What they needed stays.

        Raises:
            ConfigError: one is not there, or another needs it.
        """
        packages = self.packages()
        gone = {str(canonicalize_name(name)) for name in names}
        for name in sorted(gone):
            if name not in packages:
                raise ConfigError(f"{name} was not added. Added are: {', '.join(sorted(packages)) or 'none'}.")
        left = {name: package for name, package in packages.items() if name not in gone}
        for name, package in left.items():
            if broken := gone & set(package["depends"]):
                raise ConfigError(f"{name} needs {', '.join(sorted(broken))}. Remove {name} as well.")
        self._write(left)
        files = [str(packages[name]["file_name"]) for name in sorted(gone)]
        for file in files:
            (self.folder / file).unlink(missing_ok=True)
        return files

    @property
    def _python(self) -> str:
        return self._interpreter.info["python"]

    def _found(self, requirement: Requirement) -> Package:
        """From the distribution; from the registry where that lacks it, or cannot be reached."""
        try:
            package = self._from_distribution(requirement)
        except UnreachableError as fault:
            try:
                return self._from_registry(requirement)
            except ConfigError:
                raise fault from None
        return package or self._from_registry(requirement)

    def _from_distribution(self, requirement: Requirement) -> Package | None:
        package = self._interpreter.distribution.get(canonicalize_name(requirement.name))
        if package is None or not requirement.specifier.contains(package["version"], prereleases=True):
            return None
        if package.get("package_type", "package") != "package":
            raise ConfigError(f"{requirement.name} is a {package['package_type']}, which workers do not load.")
        path = self.folder / package["file_name"]
        if not path.is_file() or _hash(path.read_bytes()) != package["sha256"]:
            data = self._fetched(package["file_name"])
            if _hash(data) != package["sha256"]:
                raise ConfigError(
                    f"{package['file_name']} from {self._source} is not the file of Pyodide's lock file: its hash is "
                    f"{_hash(data)[:16]}..., not {package['sha256'][:16]}.... Nothing was added."
                )
            _put(path, data)
        return {
            **_entry(path),
            "depends": sorted(map(canonicalize_name, package["depends"])),
            "imports": list(package["imports"]),
        }

    def _fetched(self, file: str) -> bytes:
        if not self._source.startswith(("https://", "http://")):
            path = Path(self._source, file)
            if not path.is_file():
                raise UnreachableError(
                    f"{self._source} has no {file}. Name the folder or address of Pyodide's distribution."
                )
            return path.read_bytes()
        url = urljoin(self._source.rstrip("/") + "/", file)
        try:
            response = httpx2.get(url, timeout=FETCH_SECONDS, follow_redirects=True)
        except httpx2.HTTPError as fault:
            raise UnreachableError(
                f"{url} cannot be fetched ({fault}). Name another address of Pyodide's distribution with --from."
            ) from None
        if response.status_code != 200:
            raise UnreachableError(f"{url} answered {response.status_code}. Name another address with --from.")
        if len(response.content) > MAX_WHEEL_BYTES:
            raise ConfigError(f"{url} is larger than {MAX_WHEEL_BYTES >> 20} MiB.")
        return bytes(response.content)

    def _from_registry(self, requirement: Requirement) -> Package:
        """The newest wheel that pip finds, from whatever index it is set up for; pip checks the index's hash."""
        with tempfile.TemporaryDirectory() as folder:
            wanted = f"{requirement.name}{requirement.specifier}"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = subprocess.run(
                [*command, *self._interpreter.pip_options(), f"--dest={folder}", wanted],
                capture_output=True,
                text=True,
                check=False,
            )
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode != 0 or len(wheels) != 1:
                raise ConfigError(self._not_found(wanted, done.stderr))
            _put(self.folder / wheels[0].name, wheels[0].read_bytes())
        return _entry(self.folder / wheels[0].name)

    def _not_found(self, wanted: str, reason: str) -> str:
        lines = [line.removeprefix("ERROR: ") for line in reason.splitlines() if line.startswith("ERROR")]
        said = lines[-1] if lines else reason.strip()[-300:]
        tag = f"pyemscripten_{self._interpreter.info['abi_version']}_wasm32"
        return f"{wanted} has no wheel for Python {self._python} with the tag {tag} or any. pip: {said}"

    def _write(self, packages: Mapping[str, Package]) -> None:
        lock = {"info": dict(self._interpreter.info), "packages": dict(sorted(packages.items()))}
        _put(self.folder / LOCK, (json.dumps(lock, indent=1) + "\n").encode())


def _requirement(name: str) -> Requirement:
    try:
        requirement = Requirement(name)
    except InvalidRequirement:
        raise ConfigError(f"{name!r} is no package. Write its name, as in pandas, or name==version.") from None
    if requirement.url is not None:
        raise ConfigError(f"{name!r} names an address. Write the name of the package.")
    return requirement


def _entry(path: Path) -> Package:
    """The entry of a wheel in the lock file; `depends` is filled from its requirements later."""
    name, version = path.name.split("-")[:2]
    return {
        "name": str(canonicalize_name(name)),
        "version": version,
        "file_name": path.name,
        "sha256": _hash(path.read_bytes()),
        "install_dir": "site",
        "imports": _imports(path),
        "depends": [],
        "package_type": "package",
        "unvendored_tests": False,
    }


def _imports(path: Path) -> list[str]:
    """Top-level names of the modules and packages of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = {parts[0]: len(parts) for parts in (name.split("/") for name in wheel.namelist())}
    found = set()
    for top, depth in names.items():
        if depth > 1 and not top.endswith((".dist-info", ".data", ".libs")):
            found.add(top)
        elif depth == 1 and top.endswith((".py", ".so")):
            found.add(top.partition(".")[0])
    return sorted(name for name in found if name.isidentifier())


def _needed(path: Path, extras: set[str], markers: Mapping[str, str]) -> Iterator[Requirement]:
    """What a wheel requires on this interpreter."""
    with zipfile.ZipFile(path) as wheel:
        file = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        fields = HeaderParser().parsestr(wheel.read(file).decode("utf-8", "replace"))
    for line in fields.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        if requirement.marker is None or any(
            requirement.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras)
        ):
            yield requirement


def _put(path: Path, data: bytes) -> None:
    """Write a file in one step."""
    made = path.with_name(f"{path.name}.part")
    made.write_bytes(data)
    os.replace(made, path)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
