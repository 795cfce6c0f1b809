"""Neighbours of one role become one turn, and no word is lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rlm_core.types import Message
from rlm_server.providers.turns import merged

MESSAGES = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=5)))


@given(MESSAGES)
def test_roles_alternate_and_no_word_is_lost(messages: list[Message]) -> None:
    turns = merged(messages)
    assert all(one.role != other.role for one, other in pairwise(turns))
    assert [turn.role for turn in turns] == [
        m.role for at, m in enumerate(messages) if at == 0 or messages[at - 1].role != m.role
    ]
    said = "".join(message.content for message in messages)
    assert "".join("".join(turn.content for turn in turns).split()) == "".join(said.split())


def test_a_conversation_that_alternates_is_left_as_it_is() -> None:
    messages = [Message("system", "s"), Message("user", ""), Message("assistant", "a")]
    assert merged(messages) == messages
