#!/usr/bin/env bash
# SQLite in Pyodide 314 (CPython 3.14.2 of 2025).
#
# One would guess: a Python of 2025 comes with an SQLite of the last years, as CPython's own builds do, so that
#   `string_agg`, `concat` and `->>` on any build work.
# What happens: the library is 3.39.0 of June 2022. `->>` (3.38) works; `concat` and `string_agg` (3.44) do not exist.
# Versions: pyodide 314.0.7 from npm, under node 20 or newer. Date: 2026-11-28. Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts pyodide@314.0.7 >/dev/null
cat > try.mjs <<'JS'
import { loadPyodide } from "pyodide";
const pyodide = await loadPyodide();
pyodide.runPython(`
import sqlite3, sys
print("Python", sys.version.split()[0], "SQLite", sqlite3.sqlite_version)
connection = sqlite3.connect(":memory:")
for query in ("select '{\\"a\\": 1}' ->> 'a'", "select concat('a', 'b')", "select string_agg(1, ',')"):
    try:
        print(query, "->", connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:
        print(query, "->", error)
`);
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
Python 3.14.2 SQLite 3.39.0
select '{"a": 1}' ->> 'a' -> 1
select concat('a', 'b') -> no such function: concat
select string_agg(1, ',') -> no such function: string_agg
SEEN
