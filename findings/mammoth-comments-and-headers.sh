#!/usr/bin/env bash
# mammoth over a Word file with a comment, a header and a footer.
#
# One would guess: parts of a document that a converter leaves out are named in its list of messages.
# What happens: comment, header and footer are left out, and no message says so; the messages are about styles only.
#   With a style map for comments they come, the header and the footer never do.
# Versions: mammoth 1.13.0, python-docx 1.2.0 (makes the file), CPython 3.11. Date: 2026-11-28. Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mammoth==1.13.0 python-docx==1.2.0
cat > "$folder/try.py" <<'PY'
import io

import docx
import mammoth

document = docx.Document()
document.sections[0].header.paragraphs[0].text = "HEADER-PART"
document.sections[0].footer.paragraphs[0].text = "FOOTER-PART"
paragraph = document.add_paragraph("BODY-PART")
document.add_comment(runs=paragraph.runs, text="COMMENT-PART", author="A", initials="A")
file = io.BytesIO()
document.save(file)
for name, options in {"default": {}, "comments mapped": {"style_map": "comment-reference => sup"}}.items():
    file.seek(0)
    done = mammoth.convert_to_html(file, **options)
    parts = ("BODY", "COMMENT", "HEADER", "FOOTER")
    named = any(part.lower() in message.message.lower() for message in done.messages for part in ("header", "footer"))
    print(name, {part: f"{part}-PART" in done.value for part in parts}, "named in messages:", named)
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
default {'BODY': True, 'COMMENT': False, 'HEADER': False, 'FOOTER': False} named in messages: False
comments mapped {'BODY': True, 'COMMENT': True, 'HEADER': False, 'FOOTER': False} named in messages: False
SEEN
