#!/usr/bin/env bash
# A sheet written by a program (formulas, no cached values), read by python-calamine and by openpyxl.
#
# One would guess: a cell that has a formula and no value can be told from an empty one, as a reader of data must say
#   that it has no number for it.
# What happens: python-calamine gives "" for it, as for a cell with nothing in it; openpyxl with data_only gives None,
#   as for a cell with nothing in it. Only a second reading (openpyxl without data_only) shows the formula.
# Versions: python-calamine 0.9.1, openpyxl 3.1.5, CPython 3.11. Date: 2026-11-28. Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet python-calamine==0.9.1 openpyxl==3.1.5
cat > "$folder/try.py" <<'PY'
import sys

import openpyxl
from python_calamine import CalamineWorkbook

path = sys.argv[1]
book = openpyxl.Workbook()
for row in (["item", "net", "gross"], ["tea", 3, "=B2*1.19"], ["salt", 2, None]):
    book.active.append(row)
book.save(path)
rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
print("calamine:", [row[2] for row in rows[1:]])
values = openpyxl.load_workbook(path, data_only=True).active
print("openpyxl, data_only:", [values.cell(row, 3).value for row in (2, 3)])
formulas = openpyxl.load_workbook(path).active
print("openpyxl:", [formulas.cell(row, 3).value for row in (2, 3)])
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder/book.xlsx" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
calamine: ['', '']
openpyxl, data_only: [None, None]
openpyxl: ['=B2*1.19', None]
SEEN
