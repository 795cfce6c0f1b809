"""Model lists: the models that a provider offers, in whatever shape it lists them.

In: a JSON value. Out: an `Offer`: names, windows where the provider reports them, and a note on a list that is cut or
empty. Whether a model may be used is no matter of lists: see `registry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .exchange import malformed
from .images import reported
from .reply_forms import token_count
from .upstream import Offer, OfferedModel

LIST_FIELDS = ("data", "models")
NAME_FIELDS = ("id", "name", "model")
WINDOW_PATHS = (
    ("loaded_context_length",),
    ("max_model_len",),
    ("meta", "n_ctx"),
    ("context_length",),
    ("context_window",),
    ("max_context_length",),
    ("max_input_tokens",),
    ("inputTokenLimit",),
    ("meta", "n_ctx_train"),
)
"""Fields that hold a model's window in tokens: those of the running server before those of the model itself."""


def offer_of(name: str, value: object) -> Offer:
    """Read the list of the provider `name`.

    Raises:
        UpstreamError: `value` is no list of models.

    >>> [model.name for model in offer_of("p", {"models": [{"name": "a"}, "b", 5]}).models]
    ['a', 'b']
    """
    entries = value
    if isinstance(value, Mapping):
        entries = next((value[field] for field in LIST_FIELDS if isinstance(value.get(field), list)), None)
    if not isinstance(entries, list):
        raise malformed(name, "is not a list of models")
    models = tuple(model for entry in entries if (model := _model(entry)) is not None)
    is_cut = isinstance(value, Mapping) and value.get("has_more") is True
    return Offer(models, "Its list of models has further pages, which are not read." if is_cut else "")


def _model(entry: object) -> OfferedModel | None:
    if isinstance(entry, str):
        return OfferedModel(entry) if entry else None
    if not isinstance(entry, Mapping):
        return None
    names = (entry.get(field) for field in NAME_FIELDS)
    name = next((name for name in names if isinstance(name, str) and name), None)
    return None if name is None else OfferedModel(name.removeprefix("models/"), window_of(entry), reported(entry))


def window_of(entry: Mapping[str, object], paths: Sequence[tuple[str, ...]] = WINDOW_PATHS) -> int | None:
    """The window of a model in tokens, by the first of `paths` that leads to one."""
    for path in paths:
        value: object = entry
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        tokens = token_count(value)
        if tokens:
            return tokens
    return None
