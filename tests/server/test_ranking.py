"""The sentence that answers comes first, and one that does not answer does not come at all."""

from __future__ import annotations

import time

import pytest

from rlm_server.providers.stand_in.passages import passages
from rlm_server.providers.stand_in.ranking import best, may_answer, parse_question

FACTS = (
    "Captain Ferreira sold the copper bell to Ada Holm in the market of Lisbon.",
    "Nobody in Lisbon remembers who owned the copper bell before the captain.",
    "On 3 May 1871 the copper bell cracked.",
    "There were 4,812 bells in Lisbon before the earthquake.",
    "Every bell in Lisbon had a name.",
    "The code of the bell tower is QX-7291.",
    "Ask the sexton for the code of the bell tower.",
    "The spare rope hangs behind the organ in the chapel.",
    "The rope of the chapel broke twice.",
    "Whose rope is it?",
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who bought the copper bell from Captain Ferreira?", FACTS[0]),
        ("When did the copper bell crack?", FACTS[2]),
        ("How many bells were there in Lisbon?", FACTS[3]),
        ("What is the code of the bell tower?", FACTS[5]),
        ("Where does the spare rope hang?", FACTS[7]),
        ("where does the spare rope hang", FACTS[7]),
        ("Tell me the code of the bell tower.", FACTS[5]),
    ],
)
def test_the_kind_of_the_question_decides_between_sentences_alike(question: str, answer: str) -> None:
    assert best(question, FACTS)[0] == answer


@pytest.mark.parametrize(
    "question", ["Who wrote the anthem?", "How many horses had the king?", "What is the code of the crypt?", ""]
)
def test_no_sentence_is_better_than_a_wrong_one(question: str) -> None:
    assert best(question, FACTS) == []


def test_a_name_counts_more_than_common_words() -> None:
    others = [f"The access code of the {name} vault is 44{name}." for name in ("Abel", "Bo", "Cy", "Di", "Ed")]

    assert best("What is the access code of the Cy vault?", others, most=1) == [others[2]]
    assert best("What is the access code of the Zoe vault?", others) == []


def test_the_question_itself_is_no_answer() -> None:
    assert best("Who wrote Hamlet?", ["Who wrote Hamlet?"]) == []


def test_a_part_of_a_better_passage_is_not_repeated() -> None:
    whole = "The code of the tower is 4411."

    assert best("What is the code of the tower?", [whole, "code of the tower is 4411."]) in ([whole], [whole[4:]])


def test_candidates_of_different_pieces_can_be_ranked_again() -> None:
    pieces = [FACTS[:4], FACTS[4:7], FACTS[7:]]
    question = "What is the code of the bell tower?"

    candidates = [line for piece in pieces for line in best(question, piece)]

    assert best(question, candidates)[0] == best(question, FACTS)[0]


def test_of_a_long_question_only_what_is_asked_counts() -> None:
    story = "It was a long winter and the snow lay high. " * 100

    query = parse_question(story + "Who has the key of the tower?")

    assert set(query.terms) == {"key", "tower"}
    assert query.kind == "who"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who broke it?", "who"),
        ("When was it?", "when"),
        ("In what year did it break?", "when"),
        ("Where is it?", "where"),
        ("How many are there?", "number"),
        ("How much did it cost?", "number"),
        ("How old is she?", "measure"),
        ("What is the password?", "code"),
        ("Wann war das?", "when"),
        ("¿Cuánto cuesta?", "number"),
        ("Why did it break?", None),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, kind: str | None) -> None:
    assert parse_question(question).kind == kind


def test_sixteen_thousand_characters_take_a_few_milliseconds() -> None:
    text = "\n".join(FACTS * 26)[:16_000]
    best("What is the code of the bell tower?", passages(text))

    seconds = min(timed(text) for _ in range(5))

    assert seconds < 0.1  # about 5 ms


def timed(text: str) -> float:
    started = time.process_time()
    best("What is the code of the bell tower?", passages(text))
    return time.process_time() - started


@pytest.mark.parametrize("unit", ["what ", "Ada ", "1 ", "?", "x"])
def test_no_question_takes_long(unit: str) -> None:
    started = time.process_time()

    best(unit * 200_000, FACTS)

    assert time.process_time() - started < 5


TEXTS = [
    "The code of the vault is 4411.",
    "It rains.\nThe vaults were closed.",
    "id,when,remark\n1,2025-03-01,river stone ledger\n2,2025-03-02,violet candle\n",
    "Das Kennwort lautet K-7.",
    "Le café\nest fermé.",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "question", ["What is the code of the vault?", "Who closed the cafe?", "When did it rain?", "?"]
)
def test_a_text_that_is_passed_over_has_no_answer(question: str, text: str) -> None:
    assert may_answer(question, text) or best(question, passages(text)) == []


def test_a_text_without_a_word_of_the_question_is_passed_over() -> None:
    assert not may_answer("What is the access code for the harbor gate?", TEXTS[2])
    assert may_answer("Who closed the cafe?", TEXTS[4])
