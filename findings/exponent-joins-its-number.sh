#!/usr/bin/env bash
# "10" with a raised "6" behind it, as Word and WordPad write 10^6, by the readers of plain text.
#
# One would guess: the text of 10^6 is no other number: the exponent is set apart, or marked, or left out.
# What happens: python-docx, mammoth (raw text), python-pptx and striprtf give 106, which is a number as good as any;
#   nothing downstream can tell. mammoth's HTML keeps <sup>, and an HTML parser's text joins it again.
# Versions: python-docx 1.2.0, mammoth 1.13.0, python-pptx 1.0.2, striprtf 0.0.35, CPython 3.11. Date: 2026-11-29.
# Source: run here.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet python-docx==1.2.0 mammoth==1.13.0 python-pptx==1.0.2 striprtf==0.0.35
cat > "$folder/try.py" <<'PY'
import io

import docx
import mammoth
import pptx
from striprtf.striprtf import rtf_to_text

document = docx.Document()
paragraph = document.add_paragraph("10")
paragraph.add_run("6").font.superscript = True
file = io.BytesIO()
document.save(file)
deck = pptx.Presentation()
title = deck.slides.add_slide(deck.slide_layouts[5]).shapes.title
for words, baseline in (("10", "0"), ("6", "30000")):
    run = title.text_frame.paragraphs[0].add_run()
    run.text = words
    run.font._element.set("baseline", baseline)
print("python-docx:", paragraph.text)
print("mammoth, raw text:", mammoth.extract_raw_text(file).value.strip())
print("mammoth, HTML:", mammoth.convert_to_html(file).value)
print("python-pptx:", title.text_frame.text)
print("striprtf:", rtf_to_text(r"{\rtf1\ansi 10{\super 6}}"))
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
python-docx: 106
mammoth, raw text: 106
mammoth, HTML: <p>10<sup>6</sup></p>
python-pptx: 106
striprtf: 106
SEEN
