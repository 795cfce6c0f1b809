"""Make: each part of `make test` that its words name can be chosen, and no other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def planned(part: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-n", "test", f"PART={part}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("part", "tests"),
    [
        ("real-server", "tests/real_server"),
        ("faults", "tests/browser/faults"),
        ("attacks", "tests/browser/attacks"),
        ("firefox", "tests/browser/firefox"),
        ("team", "tests/browser/team"),
    ],
)
def test_a_part_runs_its_tests(part: str, tests: str) -> None:
    made = planned(part)
    assert (made.returncode, tests in made.stdout) == (0, True), made.stderr


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    made = planned("nonsense")
    assert made.returncode != 0
    assert "is none of the parts: core page faults attacks firefox team overlap real-server" in made.stderr
