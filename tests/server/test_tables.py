"""Data frames as contexts: stand-ins with the methods of pandas and polars; the real ones are in tests/notebooks."""

from __future__ import annotations

import pytest

from rlm_core import ConfigError
from rlm_server.headless.context_upload import uploaded


class RangeIndex:
    """As that of pandas which only counts rows."""


class DatetimeIndex:
    """As one of pandas that holds data."""


class PandasFrame:
    columns = ("name", "age")

    def __init__(self, index: object) -> None:
        self.index = index

    def to_csv(self, *, index: bool) -> str:
        return "day,name,age\nmonday,Ada,36\n" if index else "name,age\nAda,36\n"


class PolarsFrame:
    columns = ("name", "age")

    def write_csv(self) -> str:
        return "name,age\nÅsa,36\n"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (PandasFrame(RangeIndex()), "name,age\nAda,36\n"),
        (PandasFrame(DatetimeIndex()), "day,name,age\nmonday,Ada,36\n"),
        (PolarsFrame(), "name,age\nÅsa,36\n"),
    ],
)
def test_a_data_frame_is_a_csv_file(frame: object, text: str) -> None:
    with uploaded(frame) as files:
        assert (files.kind, files.names) == ("files", ("table.csv",))
        assert files.paths[0].read_bytes().decode() == text


def test_another_object_is_refused_by_its_type() -> None:
    with pytest.raises(ConfigError, match=r"JSON value, paths or a table, not a object"), uploaded(object()):
        pass
