"""The audit log: who asked which model when, and how much; no text, no reader but its owner, bounded files."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rlm_core.errors import ConfigError
from rlm_server.assets import Assets
from rlm_server.calls.audit_log import AuditLog
from rlm_server.calls.call_record import CallRecord
from rlm_server.http.app import App, create_app
from rlm_server.settings import Settings
from tests.server.conftest import make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn, openai_reply

ANN = "anns-long-random-token"
HEADERS = {"Authorization": f"Bearer {ANN}", "Idempotency-Key": "run-7/0"}


def app_of(upstream: FakeUpstream, assets: Assets, target: object, **values: object) -> App:
    chosen = {"tokens": f"ann:{ANN}", "audit_log": str(target), "retries": 0, **values}
    return create_app(settings_for(upstream, first_byte_seconds=30, total_seconds=30, **chosen), assets=assets)


def client_of(app: App) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1", headers=HEADERS)


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def record() -> CallRecord:
    return CallRecord("ann", "openai", "m", "", 5)


def test_a_line_says_who_when_which_model_and_how_much_but_no_word(
    upstream: FakeUpstream, assets: Assets, tmp_path: Path
) -> None:
    upstream.script(
        json_turn(openai_reply("private reply", usage={"prompt_tokens": 7, "cost": 0.25})), Turn(status=401)
    )
    path = tmp_path / "new" / "audit.jsonl"
    with client_of(app_of(upstream, assets, path)) as client:
        assert client.post("/api/rlm", json={"prompt": "private words", "model": "openai:m"}).status_code == 200
        assert client.post("/api/rlm", json={"prompt": "private words", "model": "openai:m"}).status_code == 200
        assert client.post("/api/rlm", json={"prompt": "other private", "model": "openai:m"}).status_code == 502
    answered, refused = lines_of(path)  # the repeated request was answered from the store
    assert "private" not in path.read_text()
    assert ANN not in path.read_text()
    assert str(answered.pop("time")).endswith("Z")
    assert isinstance(answered.pop("seconds"), float)
    assert answered == {
        "user": "ann",
        "model": "openai:m",
        "run": "run-7",
        "characters_in": len("private words"),
        "characters_out": len("private reply"),
        "input_tokens": 7,
        "output_tokens": 0,
        "cost": 0.25,
        "outcome": "answered",
    }
    assert (refused["outcome"], refused["characters_out"], refused["cost"]) == ("key-refused", 0, None)


def test_each_prompt_of_a_batch_has_its_line(upstream: FakeUpstream, assets: Assets, tmp_path: Path) -> None:
    upstream.script(json_turn(openai_reply()))
    with client_of(app_of(upstream, assets, tmp_path / "a")) as client:
        body = {"type": "batch", "prompts": ["a", "bb", "ccc"], "model": "openai:m"}
        assert client.post("/api/rlm", json=body).status_code == 200
    assert sorted(str(line["characters_in"]) for line in lines_of(tmp_path / "a")) == ["1", "2", "3"]


def test_the_file_is_its_owners_alone_also_when_it_is_rotated(tmp_path: Path) -> None:
    path, log = tmp_path / "audit.jsonl", AuditLog()
    log.open(make_settings(audit_log=str(path), audit_log_bytes=1000, audit_log_files=2))
    for _ in range(50):
        log.write(record())
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert all(0 < file.stat().st_size <= 1000 for file in files)
    assert all(line["user"] == "ann" for file in files for line in lines_of(file))


def test_lines_are_added_to_those_of_an_earlier_start(tmp_path: Path) -> None:
    for _ in range(2):
        log = AuditLog()
        log.open(make_settings(audit_log=str(tmp_path / "a")))
        log.write(record())
        log.close()
    assert len(lines_of(tmp_path / "a")) == 2


def test_stderr_is_the_servers_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rlm_server.audit")
    log = AuditLog()
    log.write(record())
    log.open(make_settings(audit_log="stderr"))
    log.write(record())
    [line] = caplog.messages
    assert json.loads(line)["characters_in"] == 5


def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    upstream: FakeUpstream, assets: Assets, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"RLM_AUDIT_LOG: .* cannot be written \(Is a directory\)"):
        app_of(upstream, assets, tmp_path)


def test_a_disk_that_is_full_stops_no_call_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog()
    log.open(make_settings(audit_log="/dev/full", audit_log_bytes=0))
    for _ in range(3):
        log.write(record())
    log.close()
    [line] = [json.loads(message) for message in caplog.messages]
    assert line["audit"] == "not written"
    assert "No space left" in line["reason"]


def test_settings_read_again_open_the_file_anew(upstream: FakeUpstream, assets: Assets, tmp_path: Path) -> None:
    """Whoever rotates it himself moves it and sends SIGHUP; a file that cannot be written changes nothing."""
    path, moved = tmp_path / "a", tmp_path / "moved"
    app = app_of(upstream, assets, path)

    async def work() -> None:
        async with app.router.lifespan_context(app):
            audit: AuditLog = app.state.backend.watch.audit
            audit.write(record())
            path.rename(moved)
            settings: Settings = app.state.settings
            await app.take_settings(settings)
            audit.write(record())
            with pytest.raises(ConfigError):
                await app.take_settings(settings.model_copy(update={"audit_log": str(tmp_path)}))
            audit.write(record())

    asyncio.run(work())
    assert (len(lines_of(moved)), len(lines_of(path))) == (1, 2)
