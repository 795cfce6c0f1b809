"""Trajectories of `dspy.RLM`: `{reasoning, code, output}` for each iteration, alone or in a prediction as JSON.

    json.dump(prediction.toDict(), file)      json.dump(prediction.trajectory, file)

They hold no question, no model and no sub-call.
"""

from __future__ import annotations

from typing import Any

from .shown_run import ShownBlock, ShownIteration, ShownRun, fenced, text_of

EXTRACTED = "Extract forced final output"
FINAL = "FINAL: "


def is_dspy(value: object) -> bool:
    """Whether a JSON value is one of the two."""
    entries = value.get("trajectory") if isinstance(value, dict) else value
    if not isinstance(entries, list) or (not entries and entries is value):
        return False
    return all(isinstance(entry, dict) and {"code", "output"} <= entry.keys() for entry in entries)


def read_dspy(value: Any) -> ShownRun:
    """The run of a trajectory, or of a prediction that holds one."""
    fields = value if isinstance(value, dict) else {"trajectory": value}
    run = ShownRun([_iteration(entry) for entry in fields["trajectory"]], answer=_answer(fields))
    if fields.get("final_reasoning") == EXTRACTED:
        run.stopped_by = "max_iterations"
        run.detail = "The iterations ran out, and the answer was extracted from the trajectory."
    return run


def _iteration(entry: dict[str, Any]) -> ShownIteration:
    code, output = str(entry["code"]), str(entry["output"])
    block = ShownBlock(code, "", output) if output.startswith("[Error]") else ShownBlock(code, output)
    return ShownIteration(fenced(code, str(entry.get("reasoning") or "")), [block])


def _answer(fields: dict[str, Any]) -> str | None:
    """The output fields of the prediction; without one, those that the last block printed."""
    outputs = {name: value for name, value in fields.items() if name not in ("trajectory", "final_reasoning")}
    if outputs:
        return text_of(next(iter(outputs.values())) if len(outputs) == 1 else outputs)
    last = str(fields["trajectory"][-1]["output"]) if fields["trajectory"] else ""
    return last.removeprefix(FINAL) if last.startswith(FINAL) else None
