"""Vocabulary: the words that `ranking.py` knows something about.

English first; and the commonest words of a few other languages, so that a question about a text in one of those is
not ranked by its articles. All sets hold stems.
"""

# ruff: noqa: RUF001 - the quotation marks and full-width stops of other scripts are meant

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from .words import stems

Kind = Literal["who", "when", "where", "number", "measure", "code"]
STRICT: frozenset[Kind] = frozenset(("number", "code"))
"""Kinds whose answer always shows: a passage without one does not answer at all."""

_ASKED = r"\b(?:what|which) (?:(?:is|was|were|are) the )?(?:\w+ ){0,2}"
ASKING: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "number",
        re.compile(
            rf"\bhow (?:many|much)\b|{_ASKED}(?:number|amount|price|cost|sum|total|weight|height|temperature)\b|"
            r"\b(?:wie ?viele?|combien|cuant[oa]s?|quant[oaie])\b|多少|幾|几"
        ),
    ),
    (
        "code",
        re.compile(
            r"\b(?:code|password|passphrase|passcode|pin|key ?word|serial|identifier|id|combination|plate|ticket|"
            r"telephone|phone|version|address|token|kennwort|passwort|contrasena|mot de passe)\b"
        ),
    ),
    (
        "measure",
        re.compile(
            rf"\bhow (?:long|far|old|tall|deep|often|high|heavy|large|big|wide|fast)\b|{_ASKED}(?:distance|age|speed)\b"
        ),
    ),
    (
        "when",
        re.compile(
            rf"\bwhen\b|{_ASKED}(?:day|date|year|month|time|hour|night|morning)\b|\b(?:wann|quand|cuando|quando)\b"
        ),
    ),
    (
        "where",
        re.compile(
            rf"\bwhere\b|{_ASKED}(?:place|city|town|room|country|street|village|port)\b|\b(?:wo|donde|dove|onde)\b"
        ),
    ),
    (
        "who",
        re.compile(
            rf"\b(?:who|whom|whose)\b|{_ASKED}(?:person|man|woman|people|name)\b|\b(?:wer|wen|wem|qui|quien|quem)\b|谁|誰"
        ),
    ),
)
"""Tried in order against the folded question."""

_NUMBER_WORD = (
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|dozen)\b"
)
_NUMBER = re.compile(rf"\d[\d.,]*|{_NUMBER_WORD}", re.IGNORECASE)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
ANSWERS: Mapping[Kind, re.Pattern[str]] = {
    "who": re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-zà-ÿ]+"),
    "when": re.compile(
        rf"(?<![.,\d])(?:1\d|20)\d\d\b|\b{_MONTH}\b|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b\d{{1,2}}:\d\d\b|"
        r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b(?:noon|midnight|dawn|dusk|yesterday|o'clock)\b"
    ),
    "where": re.compile(
        r"\b(?:in|at|on|under|behind|beneath|near|inside|below|above|between|beside|to|from|into|outside)\s+"
        r"(?:the|a|an|his|her|their|its|[A-Z])"
    ),
    "number": _NUMBER,
    "measure": _NUMBER,
    "code": re.compile(
        r"\b\w*\d[\w-]*|\b[A-Z]{3,}\b|[\"“'‘«]\w+|(?:[:=]|\b(?:is|was|reads|became|ist|war|lautet|est|es|era))\s*\w+"
    ),
}
"""Kind -> the form of such an answer in a passage."""


def _set(text: str) -> frozenset[str]:
    return frozenset(stems(text))


STOP_WORDS = _set(
    """
    a about after again all also am an and any are as at be because been before being between both but by can could
    did do does doing don't done down during each either else ever every few for from further get got had has have
    having he her here hers him his how i if in into is it its itself just let many me might more most much must my
    myself no nor not now of off on once only or other our out over own please said same say shall she should so some
    such tell than that the their them then there these they this those through to too under until up us use used very
    via was we were what whatever when where which while who whom whose why will with within without would yes you
    your find give given according exact exactly quote question answer mention mentioned context text document passage

    der die das den dem des ein eine einen einem einer eines und oder aber nicht ist sind war waren wird wurde wurden
    lautet hat haben hatte mit von vom zum zur im auf für bei nach aus über als auch wie was wer wann wo welche welcher
    welches wem wen le la les un une du de et ou mais est sont était ont avec pour par sur dans en au aux ce cette ces
    qui que quoi quand comment quel quelle combien l d qu el los las una unos unas del y o pero es son fue fueron era
    ha han con por para sobre al esta este quien cuando donde como cual cuanto cuanta il lo gli e di da nel nella che
    chi dove quando quanto quale sono stato 什么 是什 么是 多少 哪里 在哪 是谁 怎么 です すか ます
    """
)

FRAME_WORDS = _set(
    """
    name number amount date year month day time hour person man woman place city town country kind type sort sum price
    colour color thing word called named total happen happened way value
    """
)
"""Words that frame the answer ("what *colour* was ...") and so often stand in the question alone."""

TITLES = _set(
    """
    captain mr mrs ms miss dr doctor professor prof sir lady lord king queen saint st lake mount mountain river hotel
    street road avenue square bay island north south east west upper lower old new great january february march april
    may june july august september october november december monday tuesday wednesday thursday friday saturday sunday
    """
)
"""Capitalised words that many names share: they do not tell one from another."""

_GROUPS = """
    cost price paid pay sum amount fee charge worth
    born birth birthplace
    die dead death deceased
    wrote write written author writer
    buy bought purchase
    found founded founder establish
    build built builder construct
    made make maker
    sold sell sale
    hid hidden hide conceal
    kept keep store
    teach taught teacher
    lead led leader head
    lose lost
    send sent
    begin began begun start
    end finish
    choose chose chosen select pick
    wife husband married marry spouse
    phone telephone
    password passphrase passcode
    boss manager director
    job occupation profession
    win won winner
    fix repair mend
    arrive arrival reach
    leave left depart departure
    change replace swap
"""


def _related(groups: str) -> dict[str, frozenset[str]]:
    sets = [_set(group) for group in groups.strip().splitlines()]
    return {word: group - {word} for group in sets for word in group}


RELATED: Mapping[str, frozenset[str]] = _related(_GROUPS)
"""Stem -> stems that say nearly the same; they count a little less than the word itself."""
