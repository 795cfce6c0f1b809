"""Needles: seeded questions whose answer is one sentence planted in a large random context.

In: a seed, a size in characters and a shape. Out: a `Case` with the context, the question and the text that an
answer must contain. The haystacks are of several kinds (prose, wrapped prose, logs, tables, another language, one
endless line) and hold near-duplicates of the needle about other people and places. Nothing here runs anything.

    python tests/needles.py 7 > case.json
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any, Literal

Shape = Literal["str", "list", "dict", "files"]


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "Ada Bo Cyrus Dora Emil Freya Goran Hana Ivo Jutta Kwame Lena Milo Nadia Otis Petra Rurik Selma Tariq Una "
    "Viggo Wanda"
)
LAST = _words(
    "Holm Varga Osei Lindqvist Marchetti Novak Abara Tanaka Brandt Ferreira Kowal Duarte Halloran Sorel Ilves "
    "Quist Radic"
)
TOWNS = _words(
    "Aldmere Brackwater Corvane Dunholt Eskerry Farrowby Grenholm Haldane Istvik Jarrow Kelmscott Lorne Mirefield"
)
ADJECTIVES = _words(
    "copper iron painted broken ivory blue crooked hollow gilded ancient borrowed narrow silent scarlet frozen"
)
THINGS = _words(
    "lantern clock bridge organ ladder compass mirror kettle anchor cabinet violin telescope wagon loom barrel"
)
SPOTS = (
    "third step",
    "oldest elm",
    "chapel floor",
    "loose brick",
    "water tank",
    "piano lid",
    "bread oven",
    "millstone",
)
MONTHS = _words("January February March April June July August September October November December")
VERBS = _words("carried moved painted measured sold forgot described cleaned followed borrowed inspected returned")
GERMAN = (
    "der Wald lag still und niemand sprach von dem Wagen am Ufer",
    "die Leute gingen langsam nach Hause weil es regnete",
    "ein alter Mann trug zwei Eimer Wasser durch das Dorf",
    "im Winter blieb die Schule oft geschlossen",
    "die Rechnung wurde erst im Herbst bezahlt",
    "das Fenster stand offen und der Wind blies die Zettel fort",
)


@dataclass(frozen=True)
class Needle:
    """One planted sentence; `expect` stands in it alone.

    `decoys` say nearly the same of others; the last one speaks of its own subject, and does not answer.
    """

    question: str
    sentence: str
    expect: str
    decoys: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One question over one context. `expect` is `None` when the context holds no answer."""

    seed: int
    name: str
    shape: Shape
    context: Any
    question: str
    expect: str | None


def case(seed: int, *, chars: int = 1_000_000, shape: Shape = "str") -> Case:
    """Return the case of `seed`: twenty seeds in a row have every kind of needle and of haystack."""
    rng = Random(seed)
    kind, hay = list(NEEDLES)[seed % len(NEEDLES)], list(HAYSTACKS)[(seed // len(NEEDLES) + seed) % len(HAYSTACKS)]
    needle = NEEDLES[kind](rng)
    lines = _haystack(rng, hay, needle, chars)
    place = (0, len(lines), rng.randrange(len(lines)), rng.randrange(len(lines)))[seed % 4]
    lines.insert(place, HAYSTACKS[hay](rng, needle.sentence))
    return Case(seed, f"{kind} in {hay}", shape, _shaped(rng, hay, lines, shape), needle.question, needle.expect)


def unanswerable(seed: int, *, chars: int = 200_000) -> Case:
    """Return a case without the needle, and without its closest decoy; the other decoys are there."""
    rng = Random(seed)
    kind, hay = list(NEEDLES)[seed % len(NEEDLES)], list(HAYSTACKS)[seed % len(HAYSTACKS)]
    needle = NEEDLES[kind](rng)
    lines = _haystack(rng, hay, replace(needle, decoys=needle.decoys[:-1]), chars)
    return Case(seed, f"no {kind} in {hay}", "str", _shaped(rng, hay, lines, "str"), needle.question, None)


def _who(rng: Random) -> Needle:
    thing, adjective, (town, *others), person = rng.choice(THINGS), rng.choice(ADJECTIVES), _towns(rng), _person(rng)

    def sentence(where: str, who: str) -> str:
        return f"The {adjective} {thing} of {where} was repaired by {who} after a long delay."

    decoys = [sentence(other, _person(rng)) for other in others]
    decoys.append(f"Nobody in {town} would say whether the {adjective} {thing} had been repaired at all.")
    return Needle(f"Who repaired the {adjective} {thing} of {town}?", sentence(town, person), person, tuple(decoys))


def _when(rng: Random) -> Needle:
    (town, *others), person = _towns(rng), _person(rng)

    def day() -> str:
        return f"{rng.randrange(1, 28)} {rng.choice(MONTHS)} {rng.randrange(1700, 1990)}"

    expect = day()
    decoys = [f"{_person(rng, not_in=person)} left {other} on {day()}, and was not missed." for other in others]
    decoys.append(f"{person} often spoke of {town} and never wanted to leave.")
    sentence = f"{person} left {town} on {expect}, and was not missed."
    return Needle(f"When did {person} leave {town}?", sentence, expect, tuple(decoys))


def _where(rng: Random) -> Needle:
    person, thing, adjective = _person(rng), rng.choice(THINGS), rng.choice(ADJECTIVES)
    spot, *spots = rng.sample(SPOTS, 5)
    decoys = [
        f"The {adjective} {thing} of {_person(rng, not_in=person)} is hidden under the {other}." for other in spots
    ]
    decoys.append(f"{person} would not tell us where things are hidden.")
    sentence = f"The {adjective} {thing} of {person} is hidden under the {spot}."
    return Needle(f"Where is the {adjective} {thing} of {person} hidden?", sentence, spot, tuple(decoys))


def _number(rng: Random) -> Needle:
    (town, *others), thing = _towns(rng), rng.choice(THINGS)

    def sentence(where: str, count: int) -> str:
        return f"In {where} they counted {count:,} {thing}s before the storm came."

    decoys = [sentence(other, rng.randrange(1000, 4000)) for other in others]
    decoys.append(f"Every {thing} in {town} was counted twice, for nobody trusted the clerk.")
    count = rng.randrange(4000, 9999)
    return Needle(f"How many {thing}s were counted in {town}?", sentence(town, count), f"{count:,}", tuple(decoys))


def _code(rng: Random) -> Needle:
    town, *others = _towns(rng)

    def code() -> str:
        return f"{rng.choice('QXZ')}{rng.choice('JKV')}-{rng.randrange(1000, 9999)}-{rng.choice('BDF')}"

    expect = code()
    decoys = [f"The access code of the {other} archive is {code()}." for other in others]
    decoys.append(f"Please ask the porter for the access code of the {town} archive.")
    question = f"What is the access code of the {town} archive?"
    return Needle(question, f"The access code of the {town} archive is {expect}.", expect, tuple(decoys))


def _amount(rng: Random) -> Needle:
    person, thing, adjective = _person(rng), rng.choice(THINGS), rng.choice(ADJECTIVES)

    def sentence(who: str, price: str) -> str:
        return f"{who} paid {price} crowns for the {adjective} {thing}, all of it borrowed."

    expect = f"{rng.randrange(10_000, 90_000):,}"
    decoys = [sentence(_person(rng, not_in=person), f"{rng.randrange(100, 9_000):,}") for _ in range(4)]
    decoys.append(f"{person} complained for years about the {adjective} {thing}.")
    question = f"How much did {person} pay for the {adjective} {thing}?"
    return Needle(question, sentence(person, expect), expect, tuple(decoys))


NEEDLES: dict[str, Callable[[Random], Needle]] = {
    "who": _who, "when": _when, "where": _where, "number": _number, "code": _code, "amount": _amount,
}  # fmt: skip


def _as_prose(rng: Random, sentence: str) -> str:
    return sentence


def _as_log(rng: Random, sentence: str) -> str:
    day = f"{rng.randrange(1990, 2025)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    hour = f"{rng.randrange(24):02}:{rng.randrange(60):02}:07"
    return f"{day} {hour} {rng.choice(('INFO', 'WARN', 'DEBUG'))} [{rng.choice(THINGS)}-{rng.randrange(99)}] {sentence}"


def _as_row(rng: Random, sentence: str) -> str:
    town, paid = rng.choice(TOWNS).lower(), rng.choice(("yes", "no"))
    return f'{rng.randrange(10**6)},{town},{rng.random():.4f},"{sentence}",{paid}'


def _as_german(rng: Random, sentence: str) -> str:
    before, after = rng.choice(GERMAN), rng.choice(GERMAN)
    return f"{before[0].upper()}{before[1:]}. {sentence} {after[0].upper()}{after[1:]}."


HAYSTACKS: dict[str, Callable[[Random, str], str]] = {
    "prose": _as_prose,
    "wrapped prose": _as_prose,
    "a log": _as_log,
    "a table": _as_row,
    "German": _as_german,
    "one line": _as_prose,
}


def _haystack(rng: Random, hay: str, needle: Needle, chars: int) -> list[str]:
    """Return the lines of a haystack of about `chars` characters, decoys among them, the needle not."""
    fillers = [_filler(rng) for _ in range(2_000)]
    pool = [HAYSTACKS[hay](rng, sentence) for sentence in fillers if needle.expect not in sentence]
    mean = sum(map(len, pool)) / len(pool) + 1
    lines = rng.choices(pool, k=int(chars / mean) + 1)
    for decoy in needle.decoys * 3:
        lines.insert(rng.randrange(len(lines)), HAYSTACKS[hay](rng, decoy))
    return lines


def _filler(rng: Random) -> str:
    person, other, town, month = _person(rng), _person(rng), rng.choice(TOWNS), rng.choice(MONTHS)
    thing, adjective, verb = rng.choice(THINGS), rng.choice(ADJECTIVES), rng.choice(VERBS)
    return rng.choice(
        (
            f"{person} {verb} the {thing} while {other} waited in the {adjective} hall.",
            f"It was {month} again, and the {thing} of {town} had not been {verb} for weeks.",
            f'"Where is the {thing}?" asked {person}, but nobody {verb} anything that day.',
            f"They bought {rng.randrange(2, 99)} {thing}s from {other} for {rng.randrange(5, 900)} crowns.",
            f"In {town} the {adjective} {thing} stood by the door; Mr. {rng.choice(LAST)} {verb} it.",
        )
    )


def _person(rng: Random, *, not_in: str = "") -> str:
    """A first and a last name, neither of them part of `not_in`."""
    first = rng.choice([name for name in FIRST if name not in not_in])
    return f"{first} {rng.choice([name for name in LAST if name not in not_in])}"


def _towns(rng: Random) -> list[str]:
    return rng.sample(TOWNS, 5)


def _shaped(rng: Random, hay: str, lines: list[str], shape: Shape) -> Any:
    if shape == "list":
        return [{"id": number, "note": line} if rng.random() < 0.3 else line for number, line in enumerate(lines)]
    parts = [lines[first::7] for first in range(7)]
    if shape == "dict":
        return {f"volume {number}": {"title": rng.choice(THINGS), "lines": part} for number, part in enumerate(parts)}
    if shape == "files":
        return {f"part{number}.txt": _joined(hay, part) for number, part in enumerate(parts)}
    return _joined(hay, lines)


def _joined(hay: str, lines: list[str]) -> str:
    if hay == "one line":
        return " ".join(lines)
    if hay == "wrapped prose":
        paragraphs = (" ".join(lines[first : first + 6]) for first in range(0, len(lines), 6))
        return "\n\n".join(textwrap.fill(paragraph, 78) for paragraph in paragraphs)
    if hay == "prose":
        return "\n\n".join(" ".join(lines[first : first + 5]) for first in range(0, len(lines), 5))
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(asdict(case(int(sys.argv[1])))))
