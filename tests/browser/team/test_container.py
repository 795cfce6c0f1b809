"""`deploy/Dockerfile` and `deploy/compose.yaml`, without an engine: each step is run in a folder, with its paths there.

What stays unproved here: the base images, the user without rights, and the engine's own part (networks, volumes).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from rlm_server.settings import variables, variables_of_files
from tests.browser.team.test_proxies import free_port

ROOT = Path(__file__).parents[3]
WAIT_SECONDS = 300.0
TOKEN = "a-long-random-token"


@dataclass(frozen=True)
class Image:
    """What the file builds, in a folder of this machine."""

    folder: Path
    steps: list[tuple[str, str]]

    def here(self, text: str) -> str:
        """`text` with the image's absolute paths in the folder."""
        return re.sub(r"(?<![\w/}])/(source|wheels|opt|state|var/lib)\b", rf"{self.folder}/\1", text)

    def of(self, instruction: str) -> list[str]:
        return [self.here(rest) for name, rest in self.steps if name == instruction]

    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.of("ENV"))

    def command(self) -> list[str]:
        [program], [arguments] = self.of("ENTRYPOINT"), self.of("CMD")
        return [*json.loads(program), *json.loads(arguments)]

    def start(self, command: list[str], **variables: str) -> subprocess.Popen[str]:
        """Run a command with the image's variables and none of ours."""
        environment = {**self.environment(), "PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
        folder = self.of("WORKDIR")[-1]
        return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image, from a copy of what an engine would be sent, with the page's parts that are built already."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "source"
    left_out = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()]
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*left_out), symlinks=True)
    for made in ("node_modules", "build/assets"):
        shutil.copytree(ROOT / made, source / made, symlinks=True)
    image = Image(folder, steps_of((ROOT / "deploy/Dockerfile").read_text()))
    for step in image.of("RUN"):
        ran = subprocess.run(["sh", "-ec", step], cwd=source, capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert ran.returncode == 0, (step, ran.stderr)
    state = Path(image.of("WORKDIR")[-1])
    state.parent.mkdir(parents=True)
    (folder / "state").rename(state)
    yield image
    shutil.rmtree(folder)


def steps_of(text: str) -> list[tuple[str, str]]:
    """The instructions and their arguments; of health checks the command alone."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" ", 1) for line in lines]
    return [(name, rest.partition(" CMD ")[2] if name == "HEALTHCHECK" else rest) for name, rest in pairs]


def test_the_image_serves_and_says_that_it_is_healthy(image: Image) -> None:
    port = free_port()
    [health] = image.of("HEALTHCHECK")
    server = image.start(image.command(), RLM_PORT=str(port), RLM_TOKEN=TOKEN, OLLAMA_BASE_URL="none")
    try:
        until = time.monotonic() + WAIT_SECONDS
        while image.start(json.loads(health), RLM_PORT=str(port)).wait() != 0:
            assert server.poll() is None, server.communicate()
            assert time.monotonic() < until
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WAIT_SECONDS)
        with client:
            assert client.get("/api/models").status_code == 401
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            assert client.get("/page/app.js").status_code == client.get("/rlm/assets/manifest.json").status_code == 200
            reply = client.post("/api/rlm", json={"prompt": "Where is the lamp?", "model": "builtin:extractive"})
            assert reply.status_code == 200, reply.text
            assert client.get("/metrics").text.count("rlm_calls_total{") == 1
    finally:
        server.terminate()
        assert server.wait(WAIT_SECONDS) in (0, -15)
    state = Path(image.of("WORKDIR")[-1])
    assert {path.name for path in state.iterdir()} >= {"replies"}
    assert {path.stat().st_mode & 0o077 for path in state.iterdir()} == {0}


def test_the_image_does_not_start_without_a_token(image: Image) -> None:
    _, said = image.start(image.command(), RLM_PORT=str(free_port())).communicate(timeout=WAIT_SECONDS)
    assert "RLM_TOKEN" in said


def test_the_image_takes_nothing_along_that_is_private_or_made_here() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".env", ".venv", "build", "node_modules", "deploy/token", "deploy/openai-key"} <= {*ignored}
    steps = dict(steps_of((ROOT / "deploy/Dockerfile").read_text()))
    assert (steps["USER"], steps["COPY"].split()[0]) == ("10001:10001", "--from=build")


def test_the_services_name_settings_secrets_and_files_that_there_are() -> None:
    told: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    server, proxy = told["services"]["server"], told["services"]["proxy"]
    settings: Mapping[str, str] = server["environment"]
    assert {*settings} <= {*variables().values(), *variables_of_files().values()}
    files = {value for name, value in settings.items() if name.endswith("_FILE")}
    assert (
        files
        == {f"/run/secrets/{name}" for name in told["secrets"]}
        == {f"/run/secrets/{s}" for s in server["secrets"]}
    )
    assert settings["RLM_TRUSTED_PROXIES"] == proxy["networks"]["inner"]["ipv4_address"]
    assert int(settings["RLM_DRAIN_SECONDS"]) < int(server["stop_grace_period"].removesuffix("s"))
    assert (ROOT / "deploy" / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    assert [*proxy["environment"]] == re.findall(r"\{\$(\w+):", (ROOT / "deploy/Caddyfile").read_text())
    assert server["read_only"] is True
    assert shlex.split(proxy["volumes"][0].partition(":")[0]) == ["./Caddyfile"]
