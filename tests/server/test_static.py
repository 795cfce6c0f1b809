"""Files: their types, their caching, their compressed siblings, and files that are not served."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from rlm_server.assets import Assets, find_assets
from rlm_server.http.app import create_app
from rlm_server.http.static import FOR_GOOD
from tests.server.conftest import make_settings

ROOT = Path(__file__).parents[2]
WASM = "/rlm/assets/pyodide.0123456789abcdef.wasm"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/samples/sample.txt", "text/plain; charset=utf-8"),
        ("/rlm/rlm.js", "text/javascript; charset=utf-8"),
        ("/rlm/rlm.d.ts", "application/typescript"),
        ("/vendor/preact.mjs", "text/javascript; charset=utf-8"),
        ("/rlm/assets/manifest.json", "application/json"),
        (WASM, "application/wasm"),
    ],
)
def test_each_kind_has_its_type(client: httpx2.Client, path: str, media_type: str) -> None:
    response = client.get(path, headers={"Accept-Encoding": "identity"})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize(
    ("accepted", "body", "coding"),
    [
        ("gzip, deflate, br, zstd", b"brotli", "br"),
        ("br", b"brotli", "br"),
        ("gzip", b"gzip", "gzip"),
        ("GZIP;q=0.5, br;q=0", b"gzip", "gzip"),
        ("br;q=0, gzip;q=0.000", b"\0asm plain", None),
        ("identity", b"\0asm plain", None),
        ("", b"\0asm plain", None),
        ("brr, xgzip", b"\0asm plain", None),
    ],
)
def test_a_compressed_sibling_is_sent_to_who_takes_it(
    client: httpx2.Client, accepted: str, body: bytes, coding: str | None
) -> None:
    with client.stream("GET", WASM, headers={"Accept-Encoding": accepted}) as response:
        raw = b"".join(response.iter_raw())
    assert raw == body
    assert response.headers.get("content-encoding") == coding
    assert response.headers["content-length"] == str(len(body))
    assert response.headers["content-type"] == "application/wasm"
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", [WASM, "/rlm/assets/worker.0123456789abcdef.js"])
def test_a_name_with_a_hash_is_kept_for_good(client: httpx2.Client, path: str) -> None:
    response = client.get(path, headers={"Accept-Encoding": "identity"})
    assert response.headers["cache-control"] == FOR_GOOD == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["/", "/page/app.js", "/rlm/rlm.js", "/rlm/assets/manifest.json", "/vendor/preact.mjs"]
)
def test_everything_else_is_checked_each_time(client: httpx2.Client, path: str) -> None:
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/../secret.js",
        "/page/..%2fsecret.js",
        "/page/%2e%2e/secret.js",
        "/page/%2e%2e%2fsecret.js",
        "/page/..\\secret.js",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/link.js",
        "/page/.env",
        "/page/samples",
        "/page/samples/",
        "/page/%00.js",
        "/page/" + "a" * 5000 + ".js",
        "/rlm/sandbox/boot.py",
        "/rlm/../secret.js",
        "/rlm/assets/",
        "/rlm/assets/../../secret.js",
        "/rlm/assets/pyodide.0123456789abcdef.wasm.br",
        "/vendor",
    ],
)
def test_nothing_else_is_served(server: str, path: str) -> None:
    response = _get_raw(server, path)
    assert response.startswith(b"HTTP/1.1 404 ")
    assert b"outside" not in response


def _get_raw(server: str, path: str) -> bytes:
    """A request whose path no client has tidied up."""
    host, _, port = server.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_folder_that_is_not_built_is_404(no_assets: Assets) -> None:
    client = TestClient(create_app(make_settings(), assets=no_assets), base_url="http://127.0.0.1")
    assert [client.get(path).status_code for path in ("/", "/page/app.js", "/rlm/rlm.js")] == [404, 404, 404]


def test_a_bundle_goes_before_the_module_of_its_name(assets: Assets, tmp_path: Path) -> None:
    bundled = Assets(assets.web, assets.worker, tmp_path, assets.vendor)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "app.js").write_text("// with all that it imports\n")
    client = TestClient(create_app(make_settings(), assets=bundled), base_url="http://127.0.0.1")
    assert client.get("/page/app.js").text == "// with all that it imports\n"
    assert client.get("/page/samples/sample.txt").status_code == 200


@pytest.mark.parametrize("name", ["app.js", "headless.js"])
def test_the_pages_bundles_import_nothing_by_name(name: str) -> None:
    bundle = (find_assets().assets / "page" / name).read_text()
    assert re.findall(r"""^import\b.*|^\} from .*""", bundle, re.MULTILINE) == []


def test_no_script_may_be_inline() -> None:
    app = create_app(make_settings(), assets=Assets(*(ROOT / "web" for _ in range(4))))
    policy = TestClient(app, base_url="http://127.0.0.1").get("/").headers["content-security-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
