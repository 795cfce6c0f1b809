"""`pyodide-rlm packages`: real wheels, from a mirror on loopback or from the folder that pip is pointed at."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rlm_core import ConfigError
from rlm_server.assets import find_assets
from rlm_server.command.cli import main
from rlm_server.command.packages import Interpreter, Store
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / "build" / "cache" / "wheels"
PINNED: dict[str, dict[str, Any]] = json.loads((ROOT / "worker" / "sandbox" / "pyodide-lock.json").read_text())[
    "packages"
]
UNREACHABLE = "http://127.0.0.1:9/"
CALAMINE = PINNED["python-calamine"]


def interpreter(*distribution: str, built_in: frozenset[str] = frozenset()) -> Interpreter:
    """That of the assets, with some of the pinned packages as its distribution."""
    real = Interpreter.of(find_assets().assets)
    return Interpreter(real.version, real.info, {name: PINNED[name] for name in distribution}, built_in)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """URL and folder of a mirror of the distribution on loopback."""
    folder = tmp_path / "mirror"
    shutil.copytree(WHEELS, folder)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/full", folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pip_finds_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ordinary client, pointed at the wheels of the build."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(WHEELS))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_the_distribution_of_this_pyodide_is_known() -> None:
    real = Interpreter.of(find_assets().assets)
    assert real.distribution["pandas"]["file_name"].endswith(f"pyemscripten_{real.info['abi_version']}_wasm32.whl")
    assert {"numpy", "matplotlib", "pyarrow"} <= real.distribution.keys()
    assert "mammoth" in real.built_in
    assert len(real.distribution) > 250


def test_a_package_and_its_needs_come_from_the_distribution(tmp_path: Path, mirror: tuple[str, Path]) -> None:
    url, folder = mirror
    (folder / "full").mkdir()
    for name in ("mammoth", "cobble"):
        shutil.copy(WHEELS / PINNED[name]["file_name"], folder / "full")
    store = Store(tmp_path / "kept", interpreter("mammoth", "cobble"), url)
    assert [package["name"] for package in store.add(["Mammoth"])] == ["mammoth", "cobble"]
    kept = Store(tmp_path / "kept", interpreter(), UNREACHABLE).packages()
    assert kept["mammoth"]["depends"] == ["cobble"]
    for name, package in kept.items():
        assert package["sha256"] == PINNED[name]["sha256"]
        assert hashlib.sha256((tmp_path / "kept" / package["file_name"]).read_bytes()).hexdigest() == package["sha256"]
    assert store.add(["mammoth"]) == []


def test_a_file_with_another_hash_is_refused_and_nothing_is_added(tmp_path: Path, mirror: tuple[str, Path]) -> None:
    url, folder = mirror
    (folder / "full").mkdir()
    (folder / "full" / CALAMINE["file_name"]).write_bytes(b"PK another file")
    store = Store(tmp_path / "kept", interpreter("python-calamine"), url)
    with pytest.raises(ConfigError, match=r"is not the file of Pyodide's lock file: its hash is .* Nothing was added"):
        store.add(["python-calamine"])
    assert store.packages() == {}
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("pip_finds_wheels")
def test_where_the_distribution_lacks_it_pip_finds_a_wheel_of_the_right_tag(tmp_path: Path) -> None:
    store = Store(tmp_path, interpreter(), UNREACHABLE)
    [added] = store.add(["python_calamine"])
    assert added["file_name"] == CALAMINE["file_name"]
    assert added["imports"] == ["python_calamine"]
    assert added["sha256"] == CALAMINE["sha256"]
    assert [package["name"] for package in store.add([f"openpyxl=={PINNED['openpyxl']['version']}"])] == [
        "openpyxl", "et-xmlfile",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("pip_finds_wheels")
def test_what_cannot_be_had_is_refused_with_the_tag_and_nothing_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, interpreter("pypdf"), UNREACHABLE)
    with pytest.raises(
        ConfigError, match=r"no-such-package has no wheel for Python 3\.14.* tag pyemscripten_2026_0_wasm32"
    ):
        store.add(["pypdf", "no-such-package"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="is no package"):
        store.add(["a b c"])
    with pytest.raises(ConfigError, match="names an address"):
        store.add(["a @ https://example.org/a.whl"])


@pytest.mark.slow
@pytest.mark.usefixtures("pip_finds_wheels")
def test_what_another_needs_cannot_be_removed_alone(tmp_path: Path) -> None:
    store = Store(tmp_path, interpreter(), UNREACHABLE)
    store.add(["mammoth"])
    with pytest.raises(ConfigError, match="mammoth needs cobble"):
        store.remove(["cobble"])
    with pytest.raises(ConfigError, match=r"pandas was not added\. Added are: cobble, mammoth"):
        store.remove(["pandas"])
    store.remove(["mammoth", "cobble"])
    assert [path.name for path in tmp_path.iterdir()] == ["pyodide-lock.json"]


def test_packages_for_another_interpreter_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyodide-lock.json").write_text(
        '{"info": {"abi_version": "2025_0", "python": "3.13.2"}, "packages": {}}'
    )
    with pytest.raises(ConfigError, match=r"are for Python 3\.13\.2, ABI 2025_0; workers run 3\.14"):
        Store(tmp_path, interpreter()).packages()
    (tmp_path / "pyodide-lock.json").write_text("{")
    with pytest.raises(ConfigError, match="is broken"):
        Store(tmp_path, interpreter()).packages()


@pytest.mark.usefixtures("pip_finds_wheels")
def test_the_command_adds_lists_and_removes(tmp_path: Path) -> None:
    def done(*arguments: str) -> tuple[int, str]:
        result = CliRunner(env={"RLM_PACKAGES_PATH": str(tmp_path / "kept")}).invoke(main, ["packages", *arguments])
        return result.exit_code, result.output

    assert done("where") == (0, f"{tmp_path / 'kept'}\n")
    assert done("list") == (0, "")
    assert done("add", "mammoth") == (0, "nothing to add: all of it is there\n")  # built in
    status, text = done("add", "no-such-package")
    assert status == 2
    assert "error: no-such-package has no wheel" in text
    status, text = done("remove", "pandas")
    assert (status, text) == (2, "error: pandas was not added. Added are: none.\n")


@pytest.mark.usefixtures("pip_finds_wheels")
def test_the_server_hands_out_wheels_and_lock_file_and_nothing_else(tmp_path: Path) -> None:
    import httpx2

    Store(tmp_path, interpreter(), UNREACHABLE).add(["python-calamine"])
    (tmp_path / "notes.txt").write_text("mine")
    settings = Settings(_env_file=None, ollama_base_url="", packages_path=tmp_path)  # type: ignore[call-arg]
    with serving(create_app(settings), drain_seconds=0) as url, httpx2.Client(base_url=f"{url}/rlm/assets/") as client:
        lock = client.get("packages/pyodide-lock.json").json()["packages"]
        wheel = client.get(f"packages/{lock['python-calamine']['file_name']}")
        assert hashlib.sha256(wheel.content).hexdigest() == CALAMINE["sha256"]
        assert client.get("packages/notes.txt").status_code == 404
        assert client.get("packages/").status_code == 404
        assert client.get("manifest.json").status_code == 200
