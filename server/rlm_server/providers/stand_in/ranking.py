"""Ranking: which passages answer a question best, by the words they share with it.

In: a question and passages. Out: the best of them, best first, or none. The score is BM25-like; it does not
understand anything: it favours rare words, names and numbers of the question, words that stand next to each other in
both, and passages that hold the wanted kind of answer (a name for who, a date for when, a number for how many).

The relevance of a passage is its *coverage*, which depends on the question alone. So passages
chosen in different pieces of a text can be ranked again together.
"""

# ruff: noqa: RUF001 - the quotation marks and full-width stops of other scripts are meant

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

from .vocabulary import ANSWERS, ASKING, FRAME_WORDS, RELATED, STOP_WORDS, STRICT, TITLES, Kind
from .words import WORD, fold, stems

MIN_COVERAGE = 0.6
"""Least share of the question's weight that a passage must hold to count as an answer."""
MIN_COVERAGE_DOUBTFUL = 0.8
"""The same for a passage of several sentences, or without the wanted kind of answer (no date for when)."""
SEVERAL = 0.75
"""Factor for a passage of several sentences: it must cover more to beat one that says it all."""
MAX_TERMS = 64
LONG_QUESTION = 1_000
"""Characters; of a longer question only that much of its head and its tail is read, and there only the question."""
NEAR = 40
"""Characters around a word of the question in which an answer to it is expected."""
_RELATED_SHARE = 0.85
_HALF_NAME_SHARE = 0.5
_NAMELESS_SHARE = 0.6
_SATURATION = 1.2
_LENGTH_SHARE = 0.3
_USUAL_WORDS = 20

_DIGIT = re.compile(r"\d")
_SENTENCE_BREAK = re.compile(r"[.!?。！？][\"'”’»)\]]*\s+[A-Z\"“]")
_COUNTED = re.compile(r"\bhow many (?:of the |other |different )?([^\W\d_]+)")
_TWO_WORDS_AFTER = re.compile(r"(?:[ -]\w+){0,2}")
_CLAUSE = re.compile(r"[^.?!\n]+[.?!]?")


@dataclass(frozen=True, slots=True)
class Query:
    """A question, made ready for ranking.

    Attributes:
        terms: stem -> weight, by the question alone.
        names: its names and numbers, each as its stems; a passage with none of them is about something else.
        pairs: stems that stand next to each other in the question.
        kind: the kind of answer it asks for.
        counted: the stem of the counted thing ("how many *lamps*"), or `None`.
        words: every stem of the question, stop words too.
    """

    terms: Mapping[str, float]
    names: Collection[tuple[str, ...]]
    pairs: Collection[tuple[str, str]]
    kind: Kind | None
    counted: str | None
    words: Collection[str]


def best(question: str, passages: Sequence[str], *, most: int = 3, tolerance: float = 0.6) -> list[str]:
    """Return at most `most` passages that answer `question`, best first; none when no passage covers it.

    Args:
        question: in any words; only those that carry meaning count.
        passages: where to look.
        most: how many to return.
        tolerance: share of the best score that the others must reach, 0 to 1.

    >>> best("What is the code of the vault?", ["The vault is cold.", "The code of the vault is 4411."])
    ['The code of the vault is 4411.']
    >>> best("Who wrote the anthem?", ["It rains."])
    []
    """
    query = parse_question(question)
    ranked = rank(query, passages)
    if not ranked:
        return []
    enough = ranked[0][0] * tolerance
    return _without_repeats([passage for score, passage in ranked if score >= enough], most)


def rank(query: Query, passages: Sequence[str]) -> list[tuple[float, str]]:
    """Return `(score, passage)` of the relevant passages, best first; equal scores stay in reading order."""
    roots = _roots(query)
    candidates = [passage for passage in passages if _mentions(fold(passage), roots)]
    counted = [(passage, stems(passage)) for passage in candidates]
    rarity = _rarity(query, [words for _, words in counted], total=len(passages))
    scored = [(_score(query, rarity, passage, words), passage) for passage, words in counted]
    return sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])


def may_answer(question: str, text: str) -> bool:
    """Whether any passage of `text` can be relevant, which takes a fraction of the time that cutting it up does."""
    return _mentions(fold(text), _roots(parse_question(question)))


def parse_question(question: str) -> Query:
    """Read the subject and the wanted answer of `question`; of a long text, the sentences with a question mark."""
    text = question
    if len(question) > LONG_QUESTION:
        ends = question[:LONG_QUESTION] + "\n" + question[-LONG_QUESTION:]
        text = " ".join(clause for clause in _CLAUSE.findall(ends) if clause.endswith("?")) or ends
    words = stems(text)
    terms, names = _weigh(text)
    kept = [word for word in words if word in terms]
    pairs = {(one, two) for one, two in pairwise(kept) if one != two}
    return Query(terms, names, pairs, _kind(text), _counted(text), frozenset(words))


def _weigh(question: str) -> tuple[dict[str, float], list[tuple[str, ...]]]:
    """Return stem -> weight of the words that carry meaning, and which of them are names or numbers."""
    terms: dict[str, float] = {}
    names: list[tuple[str, ...]] = []
    words = [
        (part, _is_named(word, part, first=not position))
        for position, word in enumerate(WORD.findall(question))
        for part in stems(word)
        if part not in STOP_WORDS
    ]
    for named, run in groupby(words[:MAX_TERMS], key=itemgetter(1)):
        parts = tuple(part for part, _ in run)
        for part in parts:
            terms[part] = 1 + 1 / len(parts) if named else 0.5 if part in FRAME_WORDS else 1.0
        names += [parts] if named else []
    return terms or dict.fromkeys(stems(question)[:MAX_TERMS], 1.0), names


def _is_named(word: str, part: str, *, first: bool) -> bool:
    return part not in TITLES and (bool(_DIGIT.search(part)) or (word[0].isupper() and not first))


def _kind(question: str) -> Kind | None:
    lowered = fold(question)
    for kind, pattern in ASKING:
        if pattern.search(lowered):
            return kind
    return None


def _counted(question: str) -> str | None:
    counted = _COUNTED.search(fold(question))
    return stems(counted[1])[0] if counted else None


def _wanted(query: Query) -> set[str]:
    return {*query.terms, *(other for term in query.terms for other in RELATED.get(term, ()))}


def _roots(query: Query) -> tuple[str, ...]:
    """Beginnings of words of which a relevant passage holds at least one."""
    return tuple({stem[: max(2, len(stem) - 1)] for stem in _wanted(query)})


def _mentions(folded: str, roots: Iterable[str]) -> bool:
    return any(root in folded for root in roots)


def _rarity(query: Query, counted: Sequence[Sequence[str]], *, total: int) -> dict[str, float]:
    """Return stem -> 0.5 (in every passage) to 1.5 (in none)."""
    holding = Counter(word for words in counted for word in set(words) if word in query.terms)
    scale = math.log(total + 2)
    return {term: 0.5 + math.log((total + 2) / (holding[term] + 1)) / scale for term in query.terms}


def _score(query: Query, rarity: Mapping[str, float], passage: str, words: Sequence[str]) -> float:
    """Score one passage; 0 when it is not relevant."""
    counts = Counter(words)
    present = _present(query, counts)
    coverage = sum(query.terms[term] * share for term, share in present.items()) / sum(query.terms.values())
    several = bool(_SENTENCE_BREAK.search(passage))
    answering = _answering(query, passage, words, near_only=several)
    if coverage < _least_coverage(query, answering, several=several):
        return 0.0
    length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * len(words) / _USUAL_WORDS
    score = sum(
        query.terms[term] * rarity[term] * share * _saturate(counts[term] or 1, length)
        for term, share in present.items()
    )
    score += 0.3 * sum(1 for pair in pairwise(word for word in words if word in query.terms) if pair in query.pairs)
    score *= 1 + 0.3 * _closeness(query, words)
    return score * coverage * answering * (SEVERAL if several else 1.0)


def _closeness(query: Query, words: Sequence[str]) -> float:
    """How close together the question's words stand, up to 1 for side by side."""
    places = [words.index(term) for term in query.terms if term in words]
    return len(places) / (max(places) - min(places) + 1) if len(places) > 1 else 0.0


def _least_coverage(query: Query, answering: float, *, several: bool) -> float:
    if answering < 1 and query.kind in STRICT:
        return math.inf
    return MIN_COVERAGE if answering >= 1 and not several else MIN_COVERAGE_DOUBTFUL


def _present(query: Query, counts: Mapping[str, int]) -> dict[str, float]:
    """Return the terms that the passage holds: 1 for the word itself, less for a related one or half a name."""
    present: dict[str, float] = {}
    for term in query.terms:
        if term in counts:
            present[term] = 1.0
        elif any(other in counts for other in RELATED.get(term, ())):
            present[term] = _RELATED_SHARE
    for name in query.names:
        if not all(part in counts for part in name):
            present.update((part, _HALF_NAME_SHARE) for part in name if part in present)
    if query.names and not any(part in present for name in query.names for part in name):
        return {term: share * _NAMELESS_SHARE for term, share in present.items()}
    return present


def _saturate(count: int, length: float) -> float:
    return count * (_SATURATION + 1) / (count + _SATURATION * length)


def _answering(query: Query, passage: str, words: Sequence[str], *, near_only: bool) -> float:
    """Factor for the text of the passage beyond the question: 0 for nothing, at least 1 for the wanted kind of answer.

    Of several sentences, only text near a word of the question counts.
    """
    if all(word in query.words for word in words):
        return 0.0
    if passage.endswith("?"):
        return 0.4
    if query.kind is None:
        return 1.0
    answers = [match for match in ANSWERS[query.kind].finditer(passage) if _is_new(match.group(), query)]
    if query.counted and any(query.counted in stems(_two_words_after(match)) for match in answers):
        return 1.8  # "4,411 red lamps"
    if any(_holds_term(passage[max(0, match.start() - NEAR) : match.start()], query) for match in answers):
        return 1.4  # "the code of the vault is 4411"
    if any(_holds_term(passage[match.end() : match.end() + NEAR], query) for match in answers):
        return 1.2  # "ticket 4411: the vault asks for its code"
    return 1.1 if answers and not near_only else 0.5


def _two_words_after(match: re.Match[str]) -> str:
    following = _TWO_WORDS_AFTER.match(match.string, match.end())
    return following.group() if following else ""


def _holds_term(text: str, query: Query) -> bool:
    return any(word in query.terms for word in stems(text))


def _is_new(text: str, query: Query) -> bool:
    words = stems(text)
    return not words or not all(word in query.words for word in words)


def _without_repeats(passages: Iterable[str], most: int) -> list[str]:
    """Keep the first `most` passages that are no part of one before them, and have none as a part."""
    kept: list[str] = []
    for passage in passages:
        if len(kept) == most:
            break
        if not any(passage in other or other in passage for other in kept):
            kept.append(passage)
    return kept
