"""Observations: the message to the model after its code ran."""

from __future__ import annotations

import pytest

from rlm_core.errors import ConfigError
from rlm_core.observe import MIN_CHARS, NO_OUTPUT, to_message
from rlm_core.types import Observation


def seen(*observations: Observation, max_chars: int = 20_000, notes: tuple[str, ...] = ()) -> str:
    return to_message(observations, max_chars=max_chars, notes=notes).content


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (Observation(stdout="hi\n", stdout_chars=3), "Output (3 characters):\nhi"),
        (Observation(stdout="x", stdout_chars=1), "Output (1 character):\nx"),
        (Observation(value="42"), "Value:\n42"),
        (Observation(error="ValueError: v"), "Error:\nValueError: v"),
        (Observation(), NO_OUTPUT),
        (
            Observation(stdout="hi\n", stdout_chars=3, value="1", error="E"),
            "Output (3 characters):\nhi\n\nValue:\n1\n\nError:\nE",
        ),
        (Observation(stdout="a", stdout_chars=1_234_567), "Output (1,234,567 characters):\na"),
    ],
)
def test_one_block(observation: Observation, text: str) -> None:
    assert seen(observation) == text


def test_it_is_a_user_message() -> None:
    assert to_message([Observation()]).role == "user"


def test_several_blocks_are_numbered_in_one_message() -> None:
    assert seen(Observation(value="1"), Observation(value="2")) == "Block 1 of 2\nValue:\n1\n\nBlock 2 of 2\nValue:\n2"


def test_notes_stand_below_the_output() -> None:
    assert seen(Observation(value="1"), notes=("", "Confirm.", "2 left.")) == "Value:\n1\n\nConfirm.\n\n2 left."


def test_notes_stand_alone_without_blocks() -> None:
    assert seen(notes=("Nothing to do.",)) == "Nothing to do."


def test_long_output_shows_head_tail_and_the_count_of_what_is_cut() -> None:
    text = seen(Observation(stdout="a" * 500 + "z" * 500, stdout_chars=1_000), max_chars=300)
    assert text.startswith("Output (1,000 characters):\naaa")
    assert text.endswith("zzz")
    assert "[... 700 of 1,000 characters not shown ...]" in text


def test_each_block_has_its_own_bound() -> None:
    long = Observation(stdout="a" * 1_000, stdout_chars=1_000)
    assert 2 * 300 < len(seen(long, long, max_chars=300)) < 2 * 450


def test_a_long_output_does_not_crowd_out_the_error() -> None:
    text = seen(Observation(stdout="a" * 9_000, stdout_chars=9_000, error="E" * 100), max_chars=300)
    assert "E" * 100 in text
    assert len(text) < 450


def test_a_long_error_leaves_room_for_the_output() -> None:
    text = seen(Observation(stdout="a" * 9_000, stdout_chars=9_000, value="v", error="E" * 9_000), max_chars=300)
    assert text.count("a") >= 100
    assert text.count("E") >= 100


def test_a_bound_that_shows_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 200, not 10"):
        to_message([], max_chars=10)
    assert MIN_CHARS == 200
