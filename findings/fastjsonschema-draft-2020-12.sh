#!/usr/bin/env bash
# fastjsonschema and a schema that says "draft 2020-12".
#
# One would guess: a validator that does not know a schema's draft refuses to compile it.
# What happens: the "$schema" line is not read; keywords of 2019-09 and 2020-12 are ignored, so wrong values pass
#   (dependentRequired, minContains, unevaluatedProperties, a "$ref" with siblings), and a right tuple is refused,
#   since `prefixItems` is ignored and `items: false` then allows no item at all.
# Versions: fastjsonschema 2.22.3, jsonschema 4.26.0 (for comparison), CPython 3.11. Date: 2026-11-28.
# Source: run here; the package's own page names drafts 04, 06 and 07.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fastjsonschema==2.22.3 jsonschema==4.26.0
cat > "$folder/try.py" <<'PY'
import fastjsonschema
import jsonschema

DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
CASES = {
    "prefixItems, a right pair": ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, ["a", 1]),
    "dependentRequired": ({"dependentRequired": {"total": ["currency"]}}, {"total": 3}),
    "minContains": ({"contains": {"type": "integer"}, "minContains": 2}, [1, "a"]),
    "unevaluatedProperties": ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}),
    "$ref with a sibling": ({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n", "minimum": 5}, 3),
}
for name, (schema, value) in CASES.items():
    try:
        fastjsonschema.compile(DRAFT | schema)(value)
        fast = "accepts"
    except fastjsonschema.JsonSchemaValueException:
        fast = "refuses"
    right = "accepts" if jsonschema.Draft202012Validator(schema).is_valid(value) else "refuses"
    print(f"{name}: fastjsonschema {fast}, jsonschema {right}")
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
prefixItems, a right pair: fastjsonschema refuses, jsonschema accepts
dependentRequired: fastjsonschema accepts, jsonschema refuses
minContains: fastjsonschema accepts, jsonschema refuses
unevaluatedProperties: fastjsonschema accepts, jsonschema refuses
$ref with a sibling: fastjsonschema accepts, jsonschema refuses
SEEN
