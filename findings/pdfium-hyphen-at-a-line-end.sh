#!/usr/bin/env bash
# Text of a PDF by PDFium (pypdfium2), where a word is divided at the end of a line.
#
# One would guess: the hyphen and the line break come as they stand on the page, or the word comes joined.
# What happens: both are replaced by one U+FFFE, a code point that is no character. A search for "maintenance" or for
#   "main-" finds nothing, and many terminals show nothing at that place. pypdf gives the hyphen and the line break.
# Versions: pypdfium2 5.15.2, pypdf 7.1.0, reportlab 4.4.9 (makes the file), CPython 3.11. Date: 2026-11-28. Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pypdfium2==5.15.2 pypdf==7.1.0 reportlab==4.4.9
cat > "$folder/try.py" <<'PY'
import io

import pypdf
import pypdfium2
from reportlab.pdfgen import canvas

out = io.BytesIO()
page = canvas.Canvas(out)
for number, line in enumerate(["The gate is closed for main-", "tenance until Monday."]):
    page.drawString(60, 780 - 14 * number, line)
page.save()
text = pypdfium2.PdfDocument(out.getvalue())[0].get_textpage().get_text_range()
print("PDFium:", ascii(text))
print("pypdf: ", ascii(pypdf.PdfReader(out).pages[0].extract_text().strip()))
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
PDFium: 'The gate is closed for main\ufffetenance until Monday.'
pypdf:  'The gate is closed for main-\ntenance until Monday.'
SEEN
