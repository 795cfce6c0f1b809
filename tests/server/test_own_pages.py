"""Pages of one's own: served beside `/rlm` with the isolation headers, and nothing else of the disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from rlm_core import ConfigError
from rlm_server.assets import Assets
from rlm_server.command.cli import main
from rlm_server.http.app import create_app
from rlm_server.http.own_pages import own_page_policy
from rlm_server.http.security import FIXED_HEADERS
from tests.server.conftest import make_settings

SCRIPT = '<script type="module">\r\nimport { RLM } from "/rlm/rlm.js";\r\n</script>'
PAGE = f'<!doctype html>{SCRIPT}<script src="a.js"></script>'
SECRET = "the secret of this machine"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder of pages, beside a secret."""
    folder = tmp_path / "site"
    files = {
        "site/mine.html": PAGE,
        "site/photo.jpg": "jpg",
        "site/part/index.html": "<p>part",
        "site/part/index.htm": SECRET,
        "site/rlm/rlm.js": "not the server's",
        "site/api/health": "not the server's",
        "site/page/app.js": "not the server's",
        "site/.env": SECRET,
        "site/.git/config.json": SECRET,
        "site/providers.toml": SECRET,
        "site/notes": SECRET,
        "secret.txt": SECRET,
        "site-of-another/secret.html": SECRET,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "photo.jpg.br").symlink_to(tmp_path / "secret.txt")
    return folder


def client_of(assets: Assets, pages: Path, **values: object) -> TestClient:
    app = create_app(make_settings(**values), assets=assets, pages=pages)
    return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)


def test_a_page_is_isolated_and_its_own_scripts_alone_may_run(assets: Assets, pages: Path) -> None:
    client = client_of(assets, pages)
    page = client.get("/mine.html")
    assert page.status_code == 200
    assert {name: page.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS
    again = client.get("/mine.html", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    for response in (page, again):
        scripts = re.search(r"script-src ([^;]*)", response.headers["content-security-policy"])
        assert scripts is not None
        assert scripts[1] == "'self' 'wasm-unsafe-eval' 'sha256-yZmk78441c1uMIlamqtayyxJWZPV5mH5S0+6fDLLGUY='"
        assert "connect-src 'self'" in response.headers["content-security-policy"]
    assert client.get("/photo.jpg").headers["content-security-policy"].startswith("default-src 'none'")


def test_the_servers_own_paths_stay_its_own(assets: Assets, pages: Path) -> None:
    client = client_of(assets, pages)
    assert client.get("/rlm/rlm.js").text == "export const rlm = 1;\n"
    assert client.get("/page/app.js").text == "export const page = 1;\n"
    assert client.get("/").text == "<!doctype html><title>page</title>"
    with client:
        assert client.get("/api/health").json()["status"] == "ok"
    (pages / "index.html").write_text("<p>mine")
    assert client_of(assets, pages).get("/").text == "<p>mine"


def test_a_folder_is_its_index_by_relative_addresses_also_below_a_prefix(assets: Assets, pages: Path) -> None:
    client = client_of(assets, pages, root_path="/team")
    for prefix in ("", "/team"):
        assert client.get(f"{prefix}/part/").text == "<p>part"
        bare = client.get(f"{prefix}/part")
        assert (bare.status_code, bare.headers["location"]) == (307, "./part/")
        assert client.get(f"{prefix}/mine.html").status_code == 200
    assert client.get("/api/").status_code == 404


LEAKS = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/..%5csecret.txt",
    "/part/../../secret.txt",
    "/part/%2e%2e/%2e%2e/secret.txt",
    "/../site-of-another/secret.html",
    "/%2e%2e%2fsite-of-another/secret.html",
    "//secret.txt",
    "/mine.html%00.txt",
    "/link.txt",
    "/up/secret.txt",
    "/up/",
    "/up",
    "/.env",
    "/.git/config.json",
    "/.git/",
    "/part/./../.env",
    "/providers.toml",
    "/notes",
    "/part/index.htm",
    "/etc/passwd",
]


@pytest.mark.parametrize("path", LEAKS)
def test_nothing_else_of_the_disk_is_served(assets: Assets, pages: Path, path: str) -> None:
    scope_path = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\").replace("%00", "\0")
    client = client_of(assets, pages)
    for sent in (path, scope_path):
        response = client.get(f"http://127.0.0.1{sent}" if "\0" not in sent else f"http://127.0.0.1{path}")
        assert response.status_code in (404, 400), sent
        assert SECRET not in response.text


def test_a_compressed_copy_that_leads_out_of_the_folder_is_not_taken(assets: Assets, pages: Path) -> None:
    photo = client_of(assets, pages).get("/photo.jpg", headers={"Accept-Encoding": "br"})
    assert (photo.status_code, photo.text) == (200, "jpg")


def test_a_token_guards_these_pages_as_well(assets: Assets, pages: Path) -> None:
    client = client_of(assets, pages, token="a-long-random-token")
    assert client.get("/mine.html").status_code == 401
    assert client.get("/mine.html", headers={"Authorization": "Bearer a-long-random-token"}).status_code == 200


def test_a_folder_that_is_none_is_refused(assets: Assets, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        create_app(make_settings(), assets=assets, pages=tmp_path / "nowhere")
    assert "does not exist" in CliRunner().invoke(main, ["serve", "--static", str(tmp_path / "nowhere")]).output


def test_a_policy_holds_each_script_once_and_the_frames_that_are_allowed() -> None:
    policy = own_page_policy(b"<SCRIPT>a()</SCRIPT><script>a()</script ><script src='x'></script>", frame_ancestors="*")
    assert policy.count("'sha256-") == 1
    assert policy.endswith("frame-ancestors *")
