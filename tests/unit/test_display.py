"""Values that model code displays: kinds, bounds, and what the model is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rlm_core import display, plot
from rlm_core.repl import Repl

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SVG = "<svg xmlns='http://www.w3.org/2000/svg'/>"


def shown(code: str, **names: object) -> tuple[list[Any], str]:
    """Items that a block displays, and what it prints."""
    repl = Repl()
    repl.rebind(repl.displays.functions())
    repl.namespace.update(names)
    observation = repl.execute(code)
    assert observation.error is None, observation.error
    return json.loads(observation.shown or "[]"), observation.stdout


def refused(code: str, **names: object) -> str:
    repl = Repl()
    repl.rebind(repl.displays.functions())
    repl.namespace.update(names)
    return (repl.execute(code).error or "").splitlines()[-1]


def test_objects_are_a_table_and_the_model_is_told_its_size() -> None:
    items, printed = shown("display([{'a': 1, 'b': 'x\\ty'}, {'a': None}], 'Two')")
    assert items == [
        {"kind": "table", "title": "Two", "columns": ["a", "b"], "text": "1\tx\\ty\n\t", "rows": 2, "of": 2}
    ]
    assert printed == "[the person sees a table of 2 rows and 2 columns]\n"


def test_rows_are_a_table_with_their_header_where_there_is_one() -> None:
    headed, _ = shown("display([['name', 'age'], ['Ada', 36]])")
    assert (headed[0]["columns"], headed[0]["text"]) == (["name", "age"], "Ada\t36")
    plain, _ = shown("display([(1, 2), (3,)])")
    assert (plain[0]["columns"], plain[0]["text"]) == (["1", "2"], "1\t2\n3")


def test_a_dictionary_of_tables_is_one_table_each() -> None:
    items, _ = shown("display({'one': [['a'], [1]], 'two': [['b'], [2]]}, 'file')")
    assert [item["title"] for item in items] == ["file one", "file two"]


class Frame:
    columns = ("a", "b")

    def itertuples(self, index: bool) -> list[tuple[int, int]]:
        return [(1, 2)]


class Figure:
    def savefig(self, file: Any, format: str) -> None:
        file.write(PNG)


def test_frames_and_figures_of_libraries_are_known_by_their_methods() -> None:
    items, _ = shown("display(frame); display(figure)", frame=Frame(), figure=Figure())
    assert (items[0]["columns"], items[0]["text"]) == (["a", "b"], "1\t2")
    assert (items[1]["kind"], base64.b64decode(items[1]["data"])) == ("image", PNG)


def test_bytes_are_a_picture_text_is_markdown_and_the_rest_is_json() -> None:
    items, printed = shown("display(png); display(svg); display('# Title'); display({'a': [1, {2}]})", png=PNG, svg=SVG)
    assert [(item["kind"], item.get("type")) for item in items] == [
        ("image", "image/png"),
        ("image", "image/svg+xml"),
        ("markdown", None),
        ("json", None),
    ]
    assert items[3]["text"] == '{"a": [1, "{2}"]}'
    assert printed.count("[the person sees") == 4
    assert "no PNG" in refused("display(b'hello')")
    assert "1,000,000 are shown" in refused("display(png)", png=PNG + bytes(display.MAX_IMAGE_BYTES))


@pytest.mark.slow
def test_what_is_shown_is_bounded_and_the_model_is_told() -> None:
    items, printed = shown("display([[n] for n in range(700_000)])")
    assert (items[0]["of"], items[0]["rows"] < 700_000) == (700_000, True)
    assert len(items[0]["text"]) <= display.MAX_TABLE_CHARS
    assert f"the first {items[0]['rows']:,} of them" in printed
    items, printed = shown("for n in range(30): display({'n': n})")
    assert len(items) == display.MAX_ITEMS
    assert printed.count("[not shown: a block shows 20 values") == 10
    items, _ = shown("display('x' * 300_000)")
    assert (len(items[0]["text"]), items[0]["of"]) == (display.MAX_TEXT_CHARS, 300_000)


def test_a_block_begins_with_nothing_shown() -> None:
    repl = Repl()
    repl.rebind(repl.displays.functions())
    assert repl.execute("display({})").shown is not None
    assert repl.execute("1").shown is None


def chart(code: str) -> str:
    [item], printed = shown(code)
    assert printed == "[the person sees a chart]\n"
    return base64.b64decode(item["data"]).decode()


def test_a_plot_is_svg_of_its_columns() -> None:
    svg = chart("plot([{'<t>': n, 'price': n * n} for n in range(9)], x='<t>', y='price', title='Prices')")
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    assert ">&lt;t&gt;</text>" in svg
    assert svg.count("<path stroke=") == 1
    both = chart("plot([{'day': d, 'a': 1, 'b': 2} for d in 'xyz'], x='day')")
    assert both.count("<path stroke=") == 2
    assert ">y</text>" in both


def points(code: str) -> dict[str, Any] | None:
    [item], _ = shown(code)
    return json.loads(item["chart"]) if "chart" in item else None


def test_a_plot_holds_its_points_where_its_positions_rise() -> None:
    assert points("plot([{'t': 1, 'a': 5, 'b': None}, {'t': 2, 'a': 1/3, 'b': 4}], x='t', y=['a', 'b'])") == {
        "x": "t",
        "labels": None,
        "lines": [{"name": "a", "x": [1, 2], "y": [5, 0.333333333333]}, {"name": "b", "x": [2], "y": [4]}],
    }
    named = points("plot([{'day': d, 'a': n} for n, d in enumerate('xyz')], x='day')")
    assert named == {"x": "day", "labels": ["x", "y", "z"], "lines": [{"name": "a", "x": [0, 1, 2], "y": [0, 1, 2]}]}
    assert points("plot([{'t': t, 'a': 1} for t in (1, 3, 2)], x='t')") is None
    assert points("plot([{'t': str(t) + 'x', 'a': 1} for t in range(2_001)], x='t')") is None
    assert points("plot([{'t': 1, 'a': 1}], x='t')") is None


def test_a_plot_of_too_many_points_keeps_its_peak() -> None:
    points = [(float(n), 99.0 if n == 54_321 else 0.0) for n in range(100_000)]
    kept = plot.thinned(points)
    assert len(kept) <= plot.MAX_POINTS
    assert (54_321.0, 99.0) in kept


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("plot([])", "there are no rows"),
        ("plot([{'a': 1}], y='b')", "there is no column 'b'. Columns: a"),
        ("plot([{'a': 'x'}])", "no column holds numbers"),
        ("plot([{'a': 'x'}], y='a')", "hold no numbers"),
    ],
)
def test_a_plot_that_cannot_be_drawn_says_why(code: str, message: str) -> None:
    assert message in refused(code)


def test_one_point_and_equal_points_are_drawn() -> None:
    assert "nan" not in chart("plot([[5]])").lower()
    assert "nan" not in chart("plot([[1, 7], [2, 7]])").lower()


class Drawn:
    def _repr_png_(self) -> bytes:
        return PNG

    def _repr_html_(self) -> str:
        raise AssertionError("markup is never asked for")


class Broken:
    def _repr_png_(self) -> bytes:
        raise RuntimeError("no screen")


class Axes:
    figure = Figure()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("[{'a': 1}, {'a': 2}]", "table"),
        ("[(1, 2), (3, 4)]", "table"),
        ("frame", "table"),
        ("figure", "image"),
        ("axes", "image"),
        ("drawn", "image"),
        ("png", "image"),
        ("{'a': {'b': [1]}}", "json"),
        ("[[1], [2, 3]]", "json"),
    ],
)
def test_a_rich_last_value_is_shown_and_the_model_reads_what_it_always_did(code: str, kind: str) -> None:
    names = {"frame": Frame(), "figure": Figure(), "axes": Axes(), "drawn": Drawn(), "png": PNG}
    repl = Repl()
    repl.namespace.update(names)
    observation = repl.execute(code)
    [item] = json.loads(observation.shown or "[]")
    assert (item["kind"], item["title"]) == (kind, "")
    assert (observation.stdout, observation.value) == ("", repr(eval(code, dict(names))))


@pytest.mark.parametrize(
    "code", ["1", "'text'", "[1, 2]", "{'a': 1}", "b'abc'", "[]", "int", "broken", "x = [{'a': 1}]"]
)
def test_plain_and_broken_last_values_are_text_alone(code: str) -> None:
    repl = Repl()
    repl.namespace["broken"] = Broken()
    observation = repl.execute(code)
    assert (observation.shown, observation.error) == (None, None)


def test_of_many_rows_of_a_last_value_the_first_are_shown_with_their_number() -> None:
    [item], _ = shown("[{'a': n} for n in range(5_000)]")
    assert (item["rows"], item["of"]) == (1_000, 5_000)


def test_axes_and_pictures_that_draw_themselves_are_displayed() -> None:
    items, printed = shown("display(axes)\ndisplay(drawn)", axes=Axes(), drawn=Drawn())
    assert [item["type"] for item in items] == ["image/png", "image/png"]
    assert printed == "[the person sees a picture]\n" * 2
