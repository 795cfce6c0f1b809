"""Prelude of a recorded run: the names that its code uses, without a model, a network or a package to install.

In: `RECORD`, the calls of the run with their outcomes, and the files of its context beside this notebook. Out:
`context`, and the functions of the run's REPL. A model call is answered from the record; one that is not in it is a
`SubCallError`.
"""

import csv
import hashlib
import io
import json
import re
from pathlib import Path

FOLDER = Path(".")
"""The folder with the run's files."""


class SubCallError(Exception):
    """Calls failed, or are not in the record; `results` holds None where one did, `errors` is {index: why}."""

    def __init__(self, message, results=(None,), errors=None, partial=None):
        global last_error
        super().__init__(message)
        self.results, self.errors, self.partial = list(results), errors or {0: message}, partial
        last_error = self


class ToolError(Exception):
    """A recorded function failed, or was not called so in the run."""


class ReadError(Exception):
    """A file cannot be read here."""


class Finished(Exception):
    """The run ended here, with its final answer."""

    def _render_traceback_(self):
        return [str(self)]


def key_of(text):
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


class Record:
    """The calls of the run; a call that was recorded twice is answered in that order, and then from the first again."""

    def __init__(self, record):
        self._record = record
        self._turns = {}

    def next(self, kind, key, field="key"):
        alike = [call for call in self._record[kind] if call[field] == key]
        if not alike:
            return None
        turn = self._turns[kind, key] = self._turns.get((kind, key), -1) + 1
        return alike[turn % len(alike)]

    def about(self, question, most):
        """The calls that asked `question` about something: `most` of them, or those of one block."""
        key = key_of(question)
        asked = [call for call in self._record["calls"] if key in call["heads"]]
        at = self._turns.get(("about", key), 0)
        rest = asked[at:] or asked
        block = [call for call in rest if call["block"] == rest[0]["block"]] if rest else []
        again = {call["key"]: call for call in block if call["error"] is None}
        whole = {call["key"]: again.get(call["key"], call) for call in block}
        found = list(whole.values())[:most]
        self._turns["about", key] = (at if asked[at:] else 0) + sum(
            any(call["key"] == one["key"] for one in found) for call in block
        )
        return found


def open_run(record):
    """Bind the functions of the run's own that were recorded, and open its context."""
    global recorded, last_error
    recorded, last_error = Record(record), None
    for name in sorted({call["name"] for call in record["tools"]}):
        globals()[name] = _tool(name, record["tools"])
    opened = {each["name"]: _opened(each, record["typed"]) for each in record["contexts"]}
    return next(iter(opened.values()), "") if len(opened) < 2 else opened


def _opened(described, typed):
    name, kind = described["name"], described["type"]
    if name == "context" and typed is not None:
        return typed
    path = (
        FOLDER / {"str": "context.txt", "bytes": "context.bin"}.get(kind, "context.json")
        if name == "context"
        else FOLDER / name
    )
    if not path.is_file():
        size = (
            f"{described['size']:,} {'bytes' if kind in ('file', 'bytes') else 'characters or items'}"
            if "size" in described
            else kind
        )
        raise FileNotFoundError(f"{path}: put this file of the run here ({size}), or set FOLDER to where it is.")
    data = path.read_bytes()
    if kind == "file":
        value, size = path, len(data)
    elif kind == "bytes":
        value, size = data, len(data)
    else:
        text = data.decode("utf-8-sig")
        value = text if kind == "str" else json.loads(text)
        size = len(value) if hasattr(value, "__len__") else None
        data = text.encode() if kind == "str" else None
    is_other = "sha256" in described and data is not None and hashlib.sha256(data).hexdigest() != described["sha256"]
    if is_other or described.get("size", size) != size:
        print(f"note: {path} is not the file that the run had: its content differs.")
    return value


def _tool(name, calls):
    left = {}

    def call(*args, **kwargs):
        asked = json.loads(json.dumps({"args": args, "kwargs": kwargs}, default=repr))
        alike = [one for one in calls if one["name"] == name and json.loads(one["arguments"]) == asked]
        if not alike:
            raise ToolError(f"{name} was not called so in the recorded run.")
        turn = left[repr(asked)] = left.get(repr(asked), -1) + 1
        outcome = alike[turn % len(alike)]
        if outcome["error"] is not None:
            raise ToolError(outcome["error"])
        return json.loads(outcome["result"])

    return call


# --- Model calls ------------------------------------------------------------------------------------------------------


def _value_in(text):
    fences = re.findall(r"```[a-zA-Z]*\n(.*?)```", text, re.DOTALL)
    for candidate in (text.strip(), *reversed(fences), *re.findall(r"[\[{].*[\]}]", text, re.DOTALL)):
        try:
            return True, json.loads(candidate)
        except ValueError:
            continue
    return False, text


def _outcome(call, schema=None, allow_cut=False):
    """(value, error) of a recorded call."""
    if call is None:
        return None, "this call is not in the record: the run did not make it."
    if call["error"] is not None or (call["cut"] and not allow_cut):
        return None, call["error"] or "the reply was cut at its length limit."
    text = re.sub(r"^\s*<think>.*?</think>\s*", "", call["text"], flags=re.DOTALL)
    if schema is None:
        return text, None
    is_value, value = _value_in(text)
    return (value, None) if is_value else (None, "the reply holds no JSON.")


def _ask(prompt, schema, allow_cut=False):
    call = recorded.next("calls", key_of(prompt))
    value, error = _outcome(call, schema, allow_cut)
    if error is not None and call is not None and schema is not None:
        value, error = _outcome(recorded.next("calls", key_of(prompt)), schema)
    return value, error


def _all(outcomes):
    errors = {index: error for index, (_, error) in enumerate(outcomes) if error is not None}
    results = [value for value, _ in outcomes]
    if errors:
        first = next(iter(errors))
        raise SubCallError(
            f"{len(errors)} of {len(outcomes)} sub-calls failed; prompt {first}: {errors[first]}", results, errors
        )
    return results


def llm_query(prompt, model=None, schema=None, images=None, *, allow_cut=False):
    return _all([_ask(prompt, schema, allow_cut)])[0]


def llm_batch(prompts, model=None, schema=None, *, allow_cut=False):
    texts = [prompt[0] if isinstance(prompt, tuple) else prompt for prompt in prompts]
    return _all([_ask(text, schema, allow_cut) for text in texts])


def map_items(items, question, schema=None, pieces_of=None, model=None):
    are_single = isinstance(items, (list, tuple, dict)) and pieces_of is None
    are_tables = isinstance(items, dict) and all(isinstance(rows, list) for rows in items.values())
    outcomes = []
    for call in recorded.about(question, len(items) if are_single and not are_tables else None):
        if call["many"]:
            value, error = _outcome(call, True)
            outcomes += [(each, error) for each in value["values"]] if error is None else [(None, error)] * call["many"]
        else:
            outcomes.append(_outcome(call, schema))
    return _all(outcomes or [_outcome(None)])


def rlm_query(question, context=None, model=None):
    child = recorded.next("children", key_of(question))
    if child is not None:
        return _all([(child["answer"], child["error"])])[0]
    return (
        _all([_outcome(next(iter(recorded.about(question, 1)), None))])[0]
        if context is not None
        else llm_query(question)
    )


def rlm_batch(questions, context=None, model=None):
    pairs = [item if isinstance(item, tuple) else (item, context) for item in questions]
    outcomes = []
    for question, own in pairs:
        try:
            outcomes.append((rlm_query(question, own), None))
        except SubCallError as fault:
            outcomes.append((None, str(fault)))
    return _all(outcomes)


llm_query_batched, rlm_query_batched = llm_batch, rlm_batch


# --- Files, the answer, and what a person sees ------------------------------------------------------------------------


def read(file, pages=None):
    if isinstance(file, str):
        return file
    data = bytes(file) if isinstance(file, (bytes, bytearray)) else Path(file).read_bytes()
    if data.startswith((b"%PDF", b"PK\x03\x04", b"{\\rtf")) or b"\0" in data[:4_096]:
        raise ReadError(
            "Only plain text is read here. To read documents, replay the run: BlockingBrowserRLM().replay(log)."
        )
    return data.decode("utf-8-sig")


def tables(file):
    if not isinstance(file, (str, bytes, bytearray)) and Path(file).suffix.lower() not in (".csv", ".tsv"):
        raise ReadError("Only CSV is read here. To read documents, replay the run: BlockingBrowserRLM().replay(log).")
    text = read(file)
    delimiter = max(",;\t|", key=text.split("\n", 1)[0].count)
    name = "table" if isinstance(file, (str, bytes, bytearray)) else Path(file).name
    return {name: [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]}


def page_image(file, page, max_side=1_500):
    raise ReadError("Pages are not drawn here. To draw them, replay the run: BlockingBrowserRLM().replay(log).")


def FINAL(value, evidence=None):  # noqa: N802 - the name that models know
    raise Finished(f"FINAL: {value}")


def FINAL_VAR(name, evidence=None):  # noqa: N802 - the name that models know
    FINAL(globals()[name] if isinstance(name, str) and name in globals() else name)


_cited = []


def cite(quote, source=None):
    _cited.append((quote, source))
    return len(_cited)


def SHOW_VARS():  # noqa: N802 - the name that models know
    return "\n".join(sorted(name for name in globals() if not name.startswith("_")))


def display(value, title=""):
    if title:
        print(title)
    try:
        from IPython import display as shown
    except ImportError:
        print(value if not isinstance(value, (bytes, bytearray)) else f"a picture of {len(value):,} bytes")
        return
    if isinstance(value, (bytes, bytearray)) and not value.lstrip().startswith(b"<"):
        shown.display(shown.Image(bytes(value)))
    else:
        shown.display(value)


def plot(rows, x=None, y=None, title=""):
    try:
        from matplotlib import pyplot
    except ImportError:
        print(f"{title or 'a chart'}: matplotlib draws it where it is installed.")
        return
    header, *below = rows if not isinstance(rows[0], dict) else [list(rows[0]), *([*row.values()] for row in rows)]
    columns = dict(zip(header, zip(*below, strict=False), strict=False))
    names = [y] if isinstance(y, str) else list(y or [name for name in header if name != x])
    for name in names:
        pyplot.plot(*([columns[x]] if x else []), [float(each) for each in columns[name]], label=name)
    pyplot.title(title)
    pyplot.legend()
    pyplot.show()


answer, history = {"content": "", "ready": False}, []
