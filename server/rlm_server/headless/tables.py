"""Tables: data frames of a Python caller, as CSV for the REPL.

In: a context of any kind. Out: the text of a table of pandas or polars, or none. Neither library is imported here.
"""

from __future__ import annotations

NAME = "table.csv"


def csv_of(context: object) -> str | None:
    """The table as CSV text with a line of names, without an index that only counts rows; `None`: it is no table."""
    if not hasattr(context, "columns"):
        return None
    if callable(to_csv := getattr(context, "to_csv", None)):  # pandas
        return str(to_csv(index=type(getattr(context, "index", None)).__name__ != "RangeIndex"))
    if callable(write_csv := getattr(context, "write_csv", None)):  # polars
        return str(write_csv())
    return None
