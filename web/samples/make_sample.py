"""Make the sample context: one year in the log of an observatory that never was, a little over 1 MB of text.

In: a path. Out: a text file there, the same on every machine. Five facts are planted among thousands of entries that
resemble them; `samples.json` asks for them. Run by the build (`write_sample`), or by hand:

    python web/samples/make_sample.py observatory.txt
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random

SEED = 1962
YEAR = 1962
ENTRIES_A_DAY = 20

PEOPLE = (
    "Ilse Brandvold", "Tomas Rehn", "Aurelio Santis", "Maud Okafor", "Piet van Loon", "Greta Lindholm", "Yusuf Demir",
    "Edda Halloran", "Casimir Wolski", "Noor Hashemi", "Bertil Aune", "Josefa Quint", "Harriet Pell", "Lev Baranov",
)  # fmt: skip
PLACES = (
    "the east stair", "the plate room", "the coal cellar", "the meridian hall", "the lower dome", "the workshop",
    "the library", "the pump house", "the clock room", "the gatehouse", "the darkroom", "the battery shed",
    "the west terrace", "the kitchen",
)  # fmt: skip
INSTRUMENTS = (
    "the great refractor", "the meridian circle", "the comet seeker", "the astrograph", "the solar spectrograph",
    "the zenith tube", "the transit clock", "the blink comparator", "the photometer", "the small Zeiss",
    "the guide telescope",
)  # fmt: skip
PARTS = (
    "declination clamp", "drive worm", "focus screw", "shutter chain", "dew cap", "micrometer thread",
    "counterweight pin", "dome motor", "finder bracket", "eyepiece slide", "slit baffle", "sidereal relay",
    "azimuth roller", "plate holder",
)  # fmt: skip
TARGETS = (
    "M 13", "the Perseus field", "Mira", "the occulted star in Taurus", "Jupiter and two of its moons", "NGC 7789",
    "Algol", "the Coma cluster", "the limb of the Moon", "zone 41 of the catalogue", "Beta Lyrae",
    "a faint pair in Cygnus", "M 101",
)  # fmt: skip
SKIES = (
    "thin cirrus until midnight", "a clear sky with poor seeing", "fog that rose from the fjord",
    "steady air and hard frost", "broken cloud", "snow on the shutters", "haze over the harbour lights",
    "a northerly gale", "the best seeing of the month", "rain, then a sudden clearing", "aurora low in the north",
    "wet wind that fogged every lens",
)  # fmt: skip
GOODS = (
    "photographic plates", "lamp oil", "coal", "developer", "silver nitrate", "lamp wicks", "tea", "chart paper",
    "dry cells", "spare fuses", "linseed oil", "ground coffee", "fixing salts", "cotton waste", "brass screws",
    "rye flour",
)  # fmt: skip
SHOPS = (
    "Holmboe and Sons", "the Harbour Stores", "Van Dijk, Delft", "the State Railways", "Marit's bakery",
    "Lumen Optical Works", "the Ironmongers' Guild", "Askeland Shipping", "the University Press",
)  # fmt: skip
GUESTS = (
    "a class of the navigation school", "two surveyors", "the bishop's secretary", "a reporter of the Morning Post",
    "a party of stranded sailors", "an instrument maker from Jena", "four members of the ski club",
    "the county doctor",
)  # fmt: skip
MOODS = (
    "nobody complained", "the cat slept through all of it", "we drank the last of the good coffee",
    "the dome groaned like a ship", "it took longer than it should", "I should not like to do it twice",
    "the log lamp went out twice", "supper was late",
)  # fmt: skip

Slots = Mapping[str, str]

NIGHT = (
    "{hour} {person} at {instrument}: {number} exposures of {target}. We had {sky}, and {mood}.",
    "{hour} Opened the dome for {person}. {target_up} measured {number} times with {instrument}; {sky}.",
    "{hour} {sky_up}. {person} gave up on {target} and read proofs in {place} instead.",
    "{hour} {instrument_up} was set on {target}. {person} noted a drift of {small} seconds, which {other} doubts.",
    "{hour} Closed after {number} plates. {person} developed them at once; {small} were spoiled by {sky}.",
)
REPAIR = (
    "{hour} {person} took the {part} of {instrument} apart in {place} and found it worn; {other} has ordered another.",
    "{hour} The {part} of {instrument} was greased and refitted by {person}. It runs, and {mood}.",
    "{hour} {instrument_up} stood idle for {small} hours because of its {part}. {person} and {other} share the blame.",
    "{hour} {person} replaced the {part} of {instrument}, the {small}th time this year.",
    "Workshop ticket {ticket}: {part}, {instrument}. Reported by {person}; done by {other}; {small} hours.",
)
HOUSE = (
    "{hour} {person} hung the spare key of {place} on the hook in {place_two}, where everybody can find it.",
    "{hour} The padlock of {place} has a new combination, {code}; {person} wrote it on the slate in {place_two}.",
    "{hour} {guests} came up the road unannounced. {person} showed them {instrument}, and {mood}.",
    "{hour} A pipe burst in {place}. {person} and {other} bailed until {hour_two}; {mood}.",
    "{hour} {person} swept {place} and found {small} letters that should have left with the last boat.",
    "{hour} Lecture by {person} in {place} on {target}; {number} listeners, of whom {small} stayed awake.",
)
SUPPLY = (
    "Ledger {ticket}; {goods}; {number} kg; {shop}; {price} crowns; received by {person}",
    "Ledger {ticket}; freight; {small} cases; {shop}; {price} crowns; signed {person}",
    "Ledger {ticket}; repair of a mirror cell; {shop}; {price} crowns; approved by {person}",
)
WEATHER = (
    "{hour} Barometer {pressure} mm, falling; thermometer {degrees} C in {place}. {sky_up}.",
    "{hour} Barometer {pressure} mm, steady; wind force {small}; {sky}.",
)
LETTER = (
    "Letter no. {ticket}. To {shop}. Sirs, your last delivery of {goods} was {number} kg short, and {person} will "
    "not sign for it. We have waited since {hour} for your driver, and {mood}. Kindly send what is missing before "
    "the road closes.",
    "Letter no. {ticket}. From {person}, on leave. Dear friends, I hear that {instrument} is idle again and that "
    "{other} blames the {part}. Look behind the cover first: last winter it was only {sky}. The harbour is dull and "
    "I miss {place}.",
    "Letter no. {ticket}. To the Ministry. In answer to your question: the observatory holds {number} plates of "
    "{target}, of which {person} has measured {small}. A new mirror would cost about {price} crowns, says {other}, "
    "but nobody has asked.",
)
KINDS = (NIGHT, NIGHT, NIGHT, REPAIR, REPAIR, HOUSE, SUPPLY, SUPPLY, WEATHER, WEATHER, LETTER)

PLANTED: Mapping[date, tuple[str, str]] = {
    date(YEAR, 2, 27): (
        "11:20",
        "{hour} The plate vault has a new combination, set by Ilse Brandvold herself: 7-31-58-12. It is to be "
        "written nowhere but in this log.",
    ),
    date(YEAR, 5, 9): (
        "13:00",
        "Letter no. 90517. From Lumen Optical Works. Dear Director, the secondary mirror for your great refractor is "
        "finished; with silvering and freight our invoice comes to 18,450 crowns, payable in autumn.",
    ),
    date(YEAR, 8, 14): (
        "03:41",
        "{hour} In this night of 14 August Tomas Rehn discovered the comet in Lynx that will now bear his name. We "
        "woke everybody, the cook too.",
    ),
    date(YEAR, 10, 3): (
        "16:05",
        "{hour} After the burglary Maud Okafor hid the spare key of the chronometer safe behind the barometer in the "
        "library. Let nobody ask me again.",
    ),
    date(YEAR, 11, 22): (
        "09:15",
        "{hour} The frozen mercury bearing was freed at last by Josefa Quint, with a hair dryer and great patience.",
    ),
}
"""Day -> the hour and the entry that the questions of `samples.json` are about."""


def write_sample(path: Path) -> int:
    """Write the sample to `path` and return its size in bytes."""
    data = sample().encode("utf-8")
    path.write_bytes(data)
    return len(data)


def sample() -> str:
    """Return the whole text of the sample."""
    rng = Random(SEED)
    days = (date(YEAR, 1, 1) + timedelta(days=count) for count in range(365))
    head = f"STORHOLM OBSERVATORY\nHouse log, {YEAR}\nKept by whoever is on duty; nothing is to be torn out.\n"
    return head + "".join(_page(rng, day) for day in days)


def _page(rng: Random, day: date) -> str:
    entries = [(_clock(rng), rng.choice(rng.choice(KINDS))) for _ in range(ENTRIES_A_DAY + rng.randrange(13))]
    entries += [PLANTED[day]] if day in PLANTED else []
    title = f"{day:%A}, {day.day} {day:%B} {day.year}"
    return f"\n{title}\n{'-' * len(title)}\n" + "".join(_lines(rng, day, sorted(entries)))


def _lines(rng: Random, day: date, entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    for count, (hour, template) in enumerate(entries, start=1):
        slots = _slots(rng, day, ticket=day.timetuple().tm_yday * 100 + count)
        yield template.format_map({**slots, "hour": hour}) + "\n"


def _slots(rng: Random, day: date, *, ticket: int) -> Slots:
    person, other = rng.sample(PEOPLE, 2)
    place, place_two = rng.sample(PLACES, 2)
    instrument, target, sky = rng.choice(INSTRUMENTS), rng.choice(TARGETS), rng.choice(SKIES)
    return {
        "person": person,
        "other": other,
        "place": place,
        "place_two": place_two,
        "instrument": instrument,
        "instrument_up": _capital(instrument),
        "target": target,
        "target_up": _capital(target),
        "sky": sky,
        "sky_up": _capital(sky),
        "part": rng.choice(PARTS),
        "goods": rng.choice(GOODS),
        "shop": rng.choice(SHOPS),
        "guests": _capital(rng.choice(GUESTS)),
        "mood": rng.choice(MOODS),
        "ticket": f"{ticket:05}",
        "hour_two": _clock(rng),
        "number": str(rng.randrange(12, 90)),
        "small": str(rng.randrange(4, 10)),
        "price": f"{rng.randrange(40, 21_000):,}",
        "pressure": str(rng.randrange(728, 781)),
        "degrees": str(rng.randrange(14, 22) - 5 * abs(day.month - 7)),
        "code": _code(rng),
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _clock(rng: Random) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}"


def _code(rng: Random) -> str:
    return "-".join(str(rng.randrange(2, 60)) for _ in range(4))


def main(arguments: Sequence[str]) -> None:
    """Write the sample to the path given, or to `observatory.txt` beside this file."""
    path = Path(arguments[0]) if arguments else Path(__file__).with_name("observatory.txt")
    print(f"{path}: {write_sample(path):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
