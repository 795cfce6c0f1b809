"""Report form: Markdown, one HTML file without a script, or a notebook that runs."""

from __future__ import annotations

from typing import Literal, TypeAlias

ReportForm: TypeAlias = Literal["markdown", "html", "ipynb"]
