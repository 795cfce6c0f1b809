"""JSON depth: deep text is refused before a parser sees it, also where this suite runs in WebAssembly."""

from __future__ import annotations

import pytest

from rlm_core.json_depth import MAX_DEPTH, nests_deeply
from rlm_core.parse import parse
from rlm_core.values import written_value
from rlm_core.written_json import Misfit, fitting

DEEP = 50_000
TEXTS = {
    "as deep as is read": ("[" * MAX_DEPTH + "]" * MAX_DEPTH, False),
    "one deeper": ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), True),
    "objects": ('{"a": ' * (MAX_DEPTH + 1), True),
    "brackets of a string": ('["' + "[" * DEEP + '"]', False),
    "behind an escaped quote": ('["\\"' + "[" * DEEP + '"]', False),
    "many beside each other": ("[" + "[], " * DEEP + "1]", False),
    "behind the value": ("[1]" + "[" * DEEP, False),
    "words": ("no JSON [", False),
}


@pytest.mark.parametrize(("text", "is_deep"), TEXTS.values(), ids=TEXTS.keys())
def test_the_depth_of_the_first_value_counts(text: str, is_deep: bool) -> None:
    assert nests_deeply(text) is is_deep


@pytest.mark.parametrize("opening", ["[", '{"a": ', "{'a': ", "("])
def test_deep_replies_are_words(opening: str) -> None:
    deep = opening * DEEP
    assert written_value(deep) == (False, None)
    with pytest.raises(Misfit):
        fitting(f"So: {deep}", lambda value: ["no"])
    [final] = parse(f"FINAL({deep}").finals
    assert final.kind == "unmatched"
