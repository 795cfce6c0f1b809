"""The sample context is big, the same everywhere, and holds the answers to the questions that come with it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from rlm_core import run
from tests.stand_in import StandIn

FOLDER = Path(__file__).parents[2] / "web" / "samples"
SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", FOLDER / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def text(maker: ModuleType) -> str:
    return str(maker.sample())


@pytest.mark.slow
def test_the_sample_is_at_least_a_megabyte_and_always_the_same(maker: ModuleType, text: str, tmp_path: Path) -> None:
    size = maker.write_sample(tmp_path / "sample.txt")

    assert size >= 2**20
    assert (tmp_path / "sample.txt").read_bytes() == text.encode("utf-8")
    assert len(set(text.splitlines())) > 9_000


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["title"]))
def test_a_question_of_the_sample_has_one_answer_and_it_is_found(sample: dict[str, str], text: str) -> None:
    assert sample["file"] == "observatory.txt"

    result = run(sample["question"], text, provider=StandIn())

    assert sample["expect"] in result.answer
    assert result.answer.count("(Found in ") == 1
