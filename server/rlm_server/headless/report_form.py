"""Report form: the forms that a run is taken along in: Markdown, one HTML file without a script, a notebook that runs."""

from __future__ import annotations

from typing import Literal, TypeAlias

ReportForm: TypeAlias = Literal["markdown", "html", "ipynb"]
