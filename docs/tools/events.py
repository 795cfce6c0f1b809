"""Events: the table of event types in a log, from `rlm_core.events`."""

from __future__ import annotations

import dataclasses

from rlm_core.events import EVENT_TYPES, FOR_WATCHING, Stamp

from .parts import plain, table


def lines() -> list[str]:
    """The table: type, fields beside those of every event, meaning; types that logs leave out are marked."""
    stamp = {field.name for field in dataclasses.fields(Stamp)}
    rows = []
    for event in EVENT_TYPES:
        fields = [f"`{field.name}`" for field in dataclasses.fields(event) if field.name not in stamp]
        note = " Not in logs." if event.type in FOR_WATCHING else ""
        rows.append([f"`{event.type}`", ", ".join(fields), plain(event.__doc__) + note])
    return table(["type", "fields", ""], rows)
