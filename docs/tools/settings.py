"""Settings: the table of `RLM_*` and vendors' variables, from `rlm_server.settings`."""

from __future__ import annotations

import inspect
import re

from rlm_server.settings import Settings, variables

from .parts import number, table


def lines() -> list[str]:
    """The table: variable, default, meaning, in the order of the class."""
    meanings, names = descriptions(), variables()
    fields = Settings.model_fields.items()
    rows = [[f"`{names[name]}`", number(field.default), meanings[name]] for name, field in fields]
    return table(["variable", "default", ""], rows)


def descriptions() -> dict[str, str]:
    """Field -> its text in the docstring, where fields may share one; `name, name: text`."""
    attributes = inspect.getdoc(Settings).partition("Attributes:\n")[2]  # type: ignore[union-attr]
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name.strip(): re.sub(r"\s+", " ", text.strip()) for names, text in entries for name in names.split(",")}
