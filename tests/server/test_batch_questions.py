"""Questions of a batch: the forms of a line, its key, and faults with their file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_server.batch.questions import Line, Questions, RawLines


def questions_in(folder: Path, *lines: Any, name: str = "q.jsonl", **defaults: Any) -> Questions:
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return Questions(RawLines(path), folder=folder, defaults=defaults)


def lines_in(folder: Path, *lines: Any, **more: Any) -> list[Line]:
    questions = questions_in(folder, *lines, **more)
    return list(questions.missing({key for _, key, _ in questions.checked()}))


def keys_in(folder: Path, *lines: Any, **more: Any) -> list[str]:
    return [key for _, key, _ in questions_in(folder, *lines, **more).checked()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    for name in ("a.txt", "b.txt", "c.md"):
        (tmp_path / "papers" / name).write_text(name)
    return tmp_path


def contexts(folder: Path, field: Any) -> Any:
    [line] = lines_in(folder, {"question": "Q?", "context": field})
    value = line.context.value
    return [path.name for path in value] if isinstance(value, tuple) else value


def test_a_context_is_text_a_path_paths_or_a_pattern(folder: Path) -> None:
    assert contexts(folder, "just some text") == "just some text"
    assert contexts(folder, "papers/a.txt") == ["a.txt"]
    assert contexts(folder, ["papers/b.txt", "papers/c.md"]) == ["b.txt", "c.md"]
    assert contexts(folder, "papers/*.txt") == ["a.txt", "b.txt"]
    assert contexts(folder, "papers") == ["papers"]
    assert contexts(folder, None) is None
    assert contexts(folder, {"text": "papers/a.txt"}) == "papers/a.txt"
    assert contexts(folder, {"json": {"a": [1]}}) == {"a": [1]}
    assert contexts(folder, {"glob": "**/*.md"}) == ["c.md"]
    assert contexts(folder, "Is e.g. 3.14 a number? See http://x.example/a.txt") is not None


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("papers/d.txt", "looks like a path, and nothing is at it"),
        ("report.pdf", 'or write {"text": ...}'),
        ("papers/*.pdf", "no file matches the pattern 'papers/*.pdf'"),
        (["papers/a.txt", "gone.txt"], "nothing is at the path 'gone.txt'"),
        ({"path": "gone"}, "nothing is at the path 'gone'"),
        ({"file": "a"}, "context must be text, a path"),
        (7, "context must be text, a path"),
        ([], "context must be text, a path"),
    ],
)
def test_a_context_that_is_not_there_is_refused_with_its_line(folder: Path, field: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        keys_in(folder, {"question": "a"}, {"question": "b", "context": field})
    assert "q.jsonl:2: context" in str(refused.value)
    assert said in str(refused.value)


def test_a_key_depends_on_question_content_and_options_and_on_nothing_else(folder: Path) -> None:
    line = {"id": "1", "question": "Q?", "context": "papers/a.txt"}
    [key] = keys_in(folder, line)
    assert keys_in(folder, {"question": "other"}, {**line, "id": "x"})[1] == key
    assert keys_in(folder, {**line, "question": "Q!"}) != [key]
    assert keys_in(folder, {**line, "options": {"max_iterations": 3}}) != [key]
    assert keys_in(folder, {**line, "schema": {"type": "number"}}) != [key]
    assert keys_in(folder, line, model="openai:m") != [key]
    (folder / "papers" / "a.txt").write_text("changed")
    assert keys_in(folder, line) != [key]
    assert len(key) == 64


def test_equal_lines_are_lines_of_their_own(folder: Path) -> None:
    keys = keys_in(folder, {"question": "Q?"}, {"question": "Q?"})
    assert len(set(keys)) == 2
    assert keys_in(folder, {"question": "Q?"}) == keys[:1]


def test_a_line_is_one_direct_call_where_the_batch_or_the_line_says_so(folder: Path) -> None:
    plain, own = {"question": "Who?"}, {"question": "Who?", "options": {"direct": False}}
    rows = [line.row() for line in lines_in(folder, plain, own, direct=True)]
    assert [row["direct"] for row in rows] == [True, False]
    assert "direct" not in lines_in(folder, plain)[0].row()


def test_options_of_a_line_win_over_those_of_the_batch(folder: Path) -> None:
    own = {"question": "Q?", "options": {"maxIterations": 3}}
    [line] = lines_in(folder, own, max_iterations=9, model="openai:m")
    row: dict[str, Any] = {**line.row()}
    assert (row["maxIterations"], row["model"], row["idempotency_key"]) == (3, "openai:m", line.key)
    assert "max_iterations" not in row


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{broken", "it is not JSON"),
        ("[1]", "it must be a JSON object, not [1]"),
        ({"question": " "}, "there is no question"),
        ({"question": "a", "contxt": "b"}, "unknown field 'contxt'. Known are id, question, context"),
        ({"question": "a", "options": {"max_iteration": 1}}, "Is max_iterations meant?"),
        ({"question": "a", "options": {"context": "b"}}, "context is a field of its own"),
        ({"question": "a", "options": 3}, "options must be an object, not 3"),
        ({"question": "a", "schema": "number"}, "schema must be a JSON Schema"),
        ({"question": "a", "id": [1]}, "id must be text or a whole number"),
        ({"question": "a", "id": "1"}, "the id '1' is that of q.jsonl:1 too"),
        ({"custom_id": "x", "body": {"model": "gpt", "messages": [{"role": "user", "content": "a"}]}}, "Ask `rlm`"),
        ({"custom_id": "x", "body": {"model": "rlm", "messages": []}}, "messages must be a list"),
        ({"custom_id": "x", "params": {"model": "m"}}, "it is of Anthropic's form, which is not read"),
        ({"custom_id": "x", "url": "/v1/embeddings", "body": {}}, "url must be /v1/chat/completions or /v1/responses"),
        ({"url": "/v1/responses", "body": {}}, "there is no custom_id beside body"),
        ('{"question": "a", "question": "b"}', "the name 'question' stands twice"),
        ('{"question": "a", "options": {"max_cost": NaN}}', "max_cost must be a number above 0 or None, not nan"),
        ({"question": "a", "options": {"max_iterations": "5"}}, "max_iterations must be a whole number"),
        ({"question": "a", "context": "https://x.example/a.pdf"}, "is an address, and nothing is fetched"),
        ('{"question": "a", "schema": ' + "[" * 9_000, "it is not JSON"),
    ],
)
def test_each_fault_has_its_file_and_line_and_says_what_to_do(folder: Path, line: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        keys_in(folder, {"question": "first"}, "", line)
    assert "nothing was asked" in str(refused.value)
    assert "q.jsonl:3: " in str(refused.value)
    assert said in str(refused.value)


def test_all_faults_are_listed_up_to_twenty(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        keys_in(folder, *[{"question": ""}] * 25)
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (22, "and 5 more")


def test_an_empty_file_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no question: the file is empty"):
        keys_in(folder)


def test_a_csv_has_the_fields_as_columns(folder: Path) -> None:
    text = 'id,question,context,options\n7,"What,\nnow?",papers/a.txt,"{""max_iterations"": 3}"\n8,Who?,,\n'
    first, second = lines_in(folder, text.rstrip("\n"), name="q.csv")
    assert (first.id, first.question, first.options) == ("7", "What,\nnow?", {"max_iterations": 3})
    assert (second.id, second.context.value) == ("8", None)


def test_a_fault_of_a_csv_has_its_line_too(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"q\.csv:3: the cell `options` is not JSON"):
        keys_in(folder, "question,options", "a,", "b,{", name="q.csv")
    with pytest.raises(ConfigError, match=r"q\.csv:1: there is no column `question`"):
        keys_in(folder, "text", "a", name="q.csv")


@pytest.mark.parametrize(
    "text",
    [
        "ID;Question\n7;Who?\n",
        "id\tquestion\r\n7\tWho?\r\n",
        "sep=|\nid|question\n7|Who?\n",
        "\n\nid, question ,\n,,\n7,Who?,\n,,\n",
        "id,question\r7,Who?\r",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_is_read_as_spreadsheets_save_it(folder: Path, text: str, encoding: str) -> None:
    path = folder / "q.csv"
    path.write_bytes(text.encode(encoding))
    questions = Questions(RawLines(path), folder=folder, defaults={})
    [line] = questions.missing({key for _, key, _ in questions.checked()})
    assert (line.id, line.question) == ("7", "Who?")


def test_a_table_between_tabs_may_have_one_column(folder: Path) -> None:
    [line] = lines_in(folder, "question", "Who signs, and when?", name="q.tsv")
    assert line.question == "Who signs, and when?"


def test_a_cell_may_be_longer_than_a_page(folder: Path) -> None:
    [line] = lines_in(folder, "question,context", f"Who?,{'word ' * 40_000}", name="q.csv")
    assert len(str(line.context.value)) == 200_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('question\nWho?\n"And\nwho else?\n', "q.csv:3: it is not CSV from here on"),
        ("question,question\na,b\n", "q.csv:1: the column `question` stands twice"),
        ("id,text\n1,a\n", "found: id, text"),
        ("id,question\n1,a,b\n", "q.csv:2: the line has 1 more cells"),
    ],
)
def test_nothing_of_a_csv_is_lost_in_silence(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        keys_in(folder, text.rstrip("\n"), name="q.csv")
    assert said in str(refused.value)


@pytest.mark.parametrize("url", ["/chat/completions", "https://api.example/v1/chat/completions", None])
def test_an_address_of_openais_form_may_have_another_beginning(folder: Path, url: str | None) -> None:
    body = {"model": "rlm", "messages": [{"role": "user", "content": "Who?"}]}
    [line] = lines_in(folder, {"custom_id": "c", "url": url, "body": body})
    assert line.question == "Who?"


def test_a_line_of_openai_is_a_question_over_its_long_text(folder: Path) -> None:
    long = "word " * 2_000
    body = {
        "model": "rlm/openai:m",
        "messages": [{"role": "user", "content": f"{long}\n\nHow many words?"}],
        "metadata": {"max_iterations": "4"},
    }
    [line] = lines_in(folder, {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": body})
    assert (line.id, line.question, line.form) == ("c", "How many words?", "openai")
    assert line.options == {"max_iterations": 4, "model": "openai:m"}
    assert str(line.context.value).startswith("word word")


def test_one_question_is_asked_over_each_file(folder: Path) -> None:
    raw = RawLines(question="Q?", files=[folder / "papers" / "c.md", folder / "papers"])
    questions = Questions(raw, folder=folder, defaults={})
    assert [id for id, _, _ in questions.checked()] == [
        str(folder / "papers" / "c.md"), "papers/a.txt", "papers/b.txt", "papers/c.md"
    ]  # fmt: skip


def test_a_pattern_through_all_folders_takes_each_file_once(folder: Path) -> None:
    (folder / "papers" / "old").mkdir()
    (folder / "papers" / "old" / "d.txt").write_text("d.txt")
    assert contexts(folder, "papers/**") == ["a.txt", "b.txt", "c.md", "d.txt"]
    assert contexts(folder, {"glob": "papers/*"}) == ["a.txt", "b.txt", "c.md", "old"]


def test_a_tool_has_no_address_of_its_process_in_the_key(folder: Path) -> None:
    def made() -> Any:
        def price(name: str) -> int:
            return len(name)

        return price

    keys = [keys_in(folder, {"question": "Q?"}, tools={"price": tool}) for tool in (made(), made(), len)]
    assert keys[0] == keys[1] != keys[2]
