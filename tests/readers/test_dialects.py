# ruff: noqa: RUF001  letters of other alphabets are what is tested
"""Texts in the codings and dialects that programs write: each with what a careful person would read in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, read, tables
from readers.source import Source

from rlm_core.text_format import of_text

LOG = "Grüße über Straße ñ é\n" * 20
CODED: dict[str, tuple[str, bytes, str]] = {
    "UTF-8 with a byte of cp1252": ("a.log", LOG.encode() + b"a bad \xfc\n", f"[utf-8 with cp1252]\n{LOG}a bad ü\n"),
    "cp1252 whose last byte is a letter": ("a.txt", b"Ein Caf\xe9", "[cp1252]\nEin Café"),
    "UTF-8 that was cut": ("a.log", "Grüße ü".encode()[:-1], "[utf-8 with cp1252]\nGrüße \ufffd"),
    "ISO-2022-JP": ("a.txt", "今日は港".encode("iso2022_jp"), "[iso2022_jp]\n今日は港"),
    "XML in Shift-JIS": ("a.xml", '<?xml version="1.0" encoding="Shift_JIS"?><a>港①</a>'.encode("cp932"), "<a>港①</a>"),
    "XML in cp1251": (
        "a.xml",
        '<?xml version="1.0" encoding="windows-1251"?><a>Порт</a>'.encode("cp1251"),
        "<a>Порт</a>",
    ),
    "a page in GBK": ("a.html", '<html><meta charset="gb2312"><p>朱镕基</p>'.encode("gbk"), "朱镕基"),
    "a page in cp1252": ("a.html", '<html><meta charset="iso-8859-1"><p>“a” €</p>'.encode("cp1252"), "“a” €"),
    "a page with an old declaration": ("a.html", '<html><meta charset="iso-8859-1"><p>Grüße</p>'.encode(), "Grüße"),
    "an unknown declaration": ("a.html", '<html><meta charset="x-none"><p>Grüße</p>'.encode("cp1252"), "Grüße"),
    "a soft hyphen": ("a.html", b"<p>Ver&shy;siche&shy;rung</p>", "Versicherung"),
    "an empty cell of XHTML": ("a.xhtml", b"<table><tr><td>a</td><td/><td>c</td></tr></table>", "a\t\tc"),
    "a filled form": ("a.html", b'<html><p>Name <input value="Ada"/> <input type=hidden value=no>', "Name Ada"),
    "a described picture": ("a.html", b"<html><p><img src=x alt='Sales: 42'>", "[picture: Sales: 42]"),
    "a cue with a blank line": (
        "a.srt",
        b"1\n00:00:01,000 --> 00:00:02,000\none\n\ntwo\n\n2\n00:00:03,000 --> 00:00:04,000\nx",
        "[00:00:01] one two\n[00:00:03] x",
    ),
    "cues without blank lines": (
        "a.srt",
        b"1\n0:00:01,000 --> 0:00:02,000\none\n2\n0:00:03.00 --> 0:00:04.00\ntwo\n",
        "[0:00:01] one\n[0:00:03] two",
    ),
    "cues of an old Mac": (
        "a.srt",
        b"1\r00:00:01 --> 00:00:02\rone\r\r2\r00:00:03 --> 00:00:04\rtwo\r",
        "[00:00:01] one\n[00:00:03] two",
    ),
    "words before the cues": (
        "a.srt",
        b"Harbor talk\n\n1\n00:00:01,000 --> 00:00:02,000\none\n",
        "Harbor talk\n[00:00:01] one",
    ),
    "names and notes of cues": (
        "a.vtt",
        b"WEBVTT - x\nKind: y\n\nNOTE no\nno\n\nintro\n00:01.000 --> 00:02.000\nR&amp;D\n",
        "[00:01] R&D",
    ),
    "a log with control characters": ("a.log", b"8=FIX\x0149=A\x01\xc3\xbc\n" * 900, "8=FIX\x0149=A\x01ü\n" * 900),
    "a log behind a crash": ("a.log", bytes(50) + b"line\n" * 9, "\0" * 50 + "line\n" * 9),
    "a readme that begins with markup": (
        "a.md",
        b"<div align=center>\n# A\n\n    x  y\n",
        "<div align=center>\n# A\n\n    x  y\n",
    ),
    "a note in RTF": ("a.rtf", rb"{\rtf1\ansi text{\*\annotation \pard of Ada}\par}", "text\n[comment] of Ada"),
    "a text box in RTF": (
        "a.rtf",
        rb"{\rtf1 a\par{\shp{\*\shpinst{\sp{\sn k}{\sv 2}}{\shptxt\pard in it\par}}}}",
        "a\n\n[text box] in it",
    ),
    "a mark twice": ("a.txt", "\ufeff\ufeffone\n".encode(), "one\n"),
    "a page under the name csv": ("a.csv", b"<!doctype html><html><body><p>Sign in</p>", "Sign in"),
    "a page under the name json": ("a.json", b"<html><body>503, gone</body></html>", "503, gone"),
    "words on a format": ("a.txt", b"ID3 holds labels.\nBZh does not.\n", "ID3 holds labels.\nBZh does not.\n"),
    "words on GIF": ("a.txt", b"GIF89a is a format.\n", "GIF89a is a format.\n"),
    "words on RIFF": ("a.txt", b"RIFF has chunks.\n", "RIFF has chunks.\n"),
    "words on PDF": ("a.md", b"# PDF\n\n%PDF-1.7\n\nbegins it.\n", "# PDF\n\n%PDF-1.7\n\nbegins it.\n"),
    "a letter with a time": (
        "a.txt",
        b"From the start 10:30 all\nThings: well\nand so on\n",
        "From the start 10:30 all\nThings: well\nand so on\n",
    ),
    "no subtitles": ("a.srt", b"Notes of the day\n", "Notes of the day\n"),
}


@pytest.mark.parametrize("kind", CODED)
def test_a_text_is_read_in_its_coding_and_none_of_it_is_lost(kind: str) -> None:
    name, data, text = CODED[kind]
    found = read(Source(name, data=data))  # type: ignore[arg-type]
    assert found == text or (name.endswith(".xml") and found.endswith(text))


LANGUAGES = {
    "fr": (
        "cp1252",
        "Le code d’accès à la porte est écrit ci-dessous. Où ça a été, l’œuvre est là jusqu’à l’aube.",
    ),
    "de": ("cp1252", "Der Code für das Tor steht unten. Heute Nacht müssen größere Schiffe draußen bleiben."),
    "es": ("cp1252", "El código de la puerta está abajo. Esta noche, señor, ¿qué más? La lingüística."),
    "pt": ("cp1252", "O código do portão está abaixo. À noite o portão está fechado até à manhã, não há exceções."),
    "it": ("cp1252", "Il codice è scritto più sotto. La porta è chiusa finché non sarà l’alba, perché così è."),
    "sv": (
        "cp1252",
        "Koden till hamngrinden är skriven nedan. I natt är grinden stängd, så båtarna får vänta på den.",
    ),
    "fi": (
        "cp1252",
        "Sataman portin koodi on kirjoitettu alle. Tänä yönä portti on kiinni, veneiden täytyy odottaa.",
    ),
    "is": ("cp1252", "Kóðinn að hliðinu er skrifaður hér að neðan. Í nótt er hliðið lokað, þið verðið að bíða."),
    "fr, de": (
        "cp1252",
        "The captain met Hélène Müller and Jürgen Lefèvre on the way to Großau, with all of the "
        "ledgers and lamps that were left on board.",
    ),
    "pl": ("cp1250", "Kod dostępu do bramy zapisano poniżej. Dziś w nocy brama jest zamknięta aż do świtu. Zażółć."),
    "cs": ("cp1250", "Přístupový kód k bráně je napsán níže. Dnes v noci je brána zavřená, žluťoučký kůň úpěl."),
    "hu": ("cp1250", "A kikötő kapujának kódja alább olvasható. Ma éjjel zárva van, árvíztűrő tükörfúrógép."),
    "tr": ("cp1254", "Liman kapısının giriş kodu aşağıda yazılıdır. İğne, şişe ve ağaç. Bu gece kapı kapalıdır."),
    "lt": ("cp1257", "Uosto vartų kodas parašytas žemiau. Šiąnakt vartai uždaryti iki aušros, įėjimas čia."),
    "uk": ("cp1251", "Код доступу до воріт гавані написаний нижче. Вночі ворота зачинені, її ґанок є тут."),
    "bg": ("cp1251", "Кодът за достъп до портата на пристанището е написан по-долу. Нощем тя е затворена."),
    "ru": ("koi8-r", "Код доступа к воротам гавани написан ниже. Ночью ворота закрыты.\n" * 3),
    "ru, DOS": ("cp866", "Код доступа к воротам гавани написан ниже. Ночью ворота закрыты.\n" * 3),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_of_one_byte_a_letter_is_read_in_the_coding_of_its_language(language: str) -> None:
    coding, text = LANGUAGES[language]
    assert read(text.encode(coding)).partition("\n")[2] == text


def test_letters_far_from_the_beginning_tell_the_coding_too() -> None:
    coding, text = LANGUAGES["fr"]
    whole = "gate 4711 is closed\n" * 9_000 + f"{text}\n" * 40
    assert read(whole.encode(coding)) == f"[cp1252]\n{whole}"


SHORT = {
    "French": ("cp1252", "Date;Libellé;Débit\n31/01/2024;Prélèvement électricité;12,50 €\n"),
    "Spanish": ("cp1252", "Jalapeño, piñata, señor; El Niño, la Niña y el año\n"),
    "Danish": ("cp1252", "Dato;Beløb;Tekst\n31.01.2024;100;Køb i Føtex\n01.02.2024;20;Løn\n"),
    "Norwegian": ("cp1252", "Bjørnson, Søren, Tromsø, Bodø, Ærø\n"),
    "Polish": ("cp1250", "Koń, dzień, styczeń, grudzień, wrzesień\n"),
    "Czech": ("cp1250", "Účet číslo 5, částka 100 Kč, měsíčně\n"),
    "Lithuanian": ("cp1257", "Sąskaitų išrašas;Suma eurų;Paskirtis mokėjimų\n"),
    "signs": ("cp1252", "Area: 12 m³, 5 m², ±3 °C, 20 µm, ½ cup, £5, £6 ©2024 Foo™\n"),
    "quotation marks": ("cp1252", "It’s “fine” – don’t worry. We’ll see. He’s here… isn’t it?\n"),
    "German of DOS": ("cp850", "Verzeichnis für Müller, Größe über Straße\n"),
    "German of DOS, few letters": ("cp850", "Datenträger in Laufwerk C: hat keine Bezeichnung\n"),
    "German of a Macintosh": ("mac_roman", "Name;Straße\rMüller;Hauptstraße\rJäger;Bahnhofstraße\r"),
    "French of a Macintosh": ("mac_roman", "Date;Libellé;Débit\rPrélèvement électricité;12,50\r"),
    "Polish of DOS": ("cp852", "Data;Kwota;Opis\n2024-01-31;12,50;Płatność kartą w sklepie Żabka\n"),
    "Russian": ("cp1251", "цена товара и скидка; итого к оплате\n"),
    "Russian, letters of Hebrew alone": ("cp1251", "тег один два три\n"),
    "Russian beside English": ("cp1251", "iPhone 12 чёрный, 128Gb; MacBook Про\n"),
    "Russian of Unix": ("koi8-r", "Привет мир, это текст на русском языке. Как дела сегодня?\n"),
    "Russian of Unix, in capitals": ("koi8-r", "ОТЧЕТ О ДВИЖЕНИИ СРЕДСТВ ЗА ЯНВАРЬ 2024 ГОДА\n"),
    "Russian of Unix, in a log": ("koi8-r", "31.01.2024 10:00 Ошибка: файл не найден\n"),
    "Korean": ("cp949", "회의록.docx\n보고서.hwp\n"),
    "Chinese": ("gb18030", "照片.jpg\n合同.docx\n附件一.xlsx\n"),
    "Russian of DOS": ("cp866", "Name;City\nИванов;Москва\nSmith;London\n"),
    "Hebrew": ("cp1255", "שלום עולם, זה טקסט בעברית. מה שלומך היום?\n"),
    "Hebrew beside a number": ("cp1255", "מ-1990 עד היום\n"),
    "Greek": ("cp1253", "Ημερομηνία;Ποσό;Περιγραφή\n31/01/2024;12,50;Πληρωμή λογαριασμού\n"),
    "Japanese, half as wide": ("cp932", "ﾔﾏﾀﾞ ﾀﾛｳ,100\nｽｽﾞｷ,200\n"),
}


@pytest.mark.parametrize("language", SHORT)
def test_a_short_text_is_read_in_its_coding(language: str) -> None:
    coding, text = SHORT[language]
    assert read(text.encode(coding)).partition("\n")[2] == text


SCRIPTS = {
    "Cyrillic": "Код доступа написан ниже, № 4711.\n",
    "Greek": "Ο κωδικός είναι γραμμένος παρακάτω, 4711.\n",
    "Hebrew": "קוד הגישה כתוב למטה, 4711.\n",
    "Arabic": "رمز الدخول مكتوب أدناه 4711.\n",
    "Thai": "รหัสเข้าประตูเขียนไว้ด้านล่าง 4711\n",
    "Hindi": "प्रवेश कोड नीचे लिखा है 4711।\n",
    "Japanese": "門の暗証番号は下に書いてあります。4711\n",
    "Korean": "출입 코드는 아래에 적혀 있습니다. 4711\n",
    "Chinese": "门禁密码写在下面。4711\n",
    "Latin": "Der Code, größer als 4711.\n",
}


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_utf_without_a_mark_is_read_in_each_script(script: str, coding: str) -> None:
    for text in (SCRIPTS[script], SCRIPTS[script] * 900):
        assert read(text.encode(coding)) == f"[{coding}]\n{text}"


def test_numbers_of_two_bytes_are_no_text_of_utf_16() -> None:
    for data in (
        bytes(range(256)) * 40,
        b"".join(n.to_bytes(2, "little") for n in range(5, 3_000)),
    ):
        with pytest.raises(ReadError, match="unknown kind"):
            read(data)


TABLES: dict[str, tuple[str, bytes | str, list[list[Any]]]] = {
    "spaces before quotes": (
        "a.csv",
        'id, name\n1, "Smith, Ada"\n2, "Doe, Bo"\n',
        [["id", "name"], ["1", "Smith, Ada"], ["2", "Doe, Bo"]],
    ),
    "quotes behind a backslash": (
        "a.csv",
        'id,name\n1,"say \\"hi, you\\" now"\n2,"x"\n',
        [["id", "name"], ["1", 'say "hi, you" now'], ["2", "x"]],
    ),
    "a path that ends in a backslash": (
        "a.csv",
        'id,path\n1,"C:\\a\\"\n2,"b"\n',
        [["id", "path"], ["1", "C:\\a\\"], ["2", "b"]],
    ),
    "a quote that is never closed": (
        "a.tsv",
        'id\tname\n1\t"Hello\n2\t"a\nb"\n3\tc\n',
        [["id", "name"], ["1", '"Hello'], ["2", "a\nb"], ["3", "c"]],
    ),
    "a quoted word": ("a.tsv", 'id\tname\n1\t"a" word\n2\tb\n', [["id", "name"], ["1", '"a" word'], ["2", "b"]]),
    "inches": ("a.csv", 'id,size\n1,5" pipe\n2,6" pipe\n', [["id", "size"], ["1", '5" pipe'], ["2", '6" pipe']]),
    "a name too few, over nothing": (
        "a.csv",
        "id,sum\n1,2,\n3,4,\n",
        [["id", "sum", ""], ["1", "2", ""], ["3", "4", ""]],
    ),
    "a name too few, over names of rows": (
        "a.csv",
        '"mpg","cyl"\n"Mazda",21,6\n"Hornet",22,4\n',
        [["", "mpg", "cyl"], ["Mazda", "21", "6"], ["Hornet", "22", "4"]],
    ),
    "an empty name too many": ("a.csv", "id;sum;\n1;2\n3;4\n", [["id", "sum"], ["1", "2"], ["3", "4"]]),
    "quotes and decimal commas, with a footer": (
        "a.csv",
        ';\n"Balance";"1,00 EUR";\n"Day";"Text";"Sum";\n"1.2.2025";"a";"-5,00";\n"Before";"6,00 EUR";\n',
        [
            ["", ""],
            ["Balance", "1,00 EUR", ""],
            ["Day", "Text", "Sum", ""],
            ["1.2.2025", "a", "-5,00", ""],
            ["Before", "6,00 EUR", ""],
        ],
    ),
    "a preamble and decimal commas": (
        "a.csv",
        "Account;1\n\nDay;Text;Sum\n2025-01-01;a;-5,00\n2025-01-02;b;6,00\n2025-01-03;c;7,00\nTotal;8,00\n",
        [
            ["Account", "1"],
            ["Day", "Text", "Sum"],
            ["2025-01-01", "a", "-5,00"],
            ["2025-01-02", "b", "6,00"],
            ["2025-01-03", "c", "7,00"],
            ["Total", "8,00"],
        ],
    ),
    "a line separator of Unicode": (
        "a.csv",
        "id,x\n1,a\u2028b\n2,c\x85\n",
        [["id", "x"], ["1", "a\u2028b"], ["2", "c\x85"]],
    ),
    "carets": ("a.csv", "id^name\n1^a, b\n2^c\n", [["id", "name"], ["1", "a, b"], ["2", "c"]]),
    "fields of Hive": ("a.csv", "1\x01a\n2\x01b\n", [["1", "a"], ["2", "b"]]),
    "sep= in quotes": (
        "a.csv",
        '"sep=;"\nid;name\n1;a\n2;b\n3;c\n',
        [["id", "name"], ["1", "a"], ["2", "b"], ["3", "c"]],
    ),
    "SEP= of a short table": ("a.csv", "SEP=;\r\nid;name\r\n1;a\r\n", [["id", "name"], ["1", "a"]]),
    "single quotes": (
        "a.csv",
        "id,name\n1,'Smith, Ada'\n2,'Doe, Bo'\n3,'x'\n",
        [["id", "name"], ["1", "Smith, Ada"], ["2", "Doe, Bo"], ["3", "x"]],
    ),
    "apostrophes": (
        "a.csv",
        "id,name\n1,'tis\n2,o'er\n3,x\n",
        [["id", "name"], ["1", "'tis"], ["2", "o'er"], ["3", "x"]],
    ),
    "tildes": ("a.csv", "id~name\n1~a\n2~b\n", [["id", "name"], ["1", "a"], ["2", "b"]]),
    "unit separators": ("a.csv", "id\x1fname\n1\x1fa\n", [["id", "name"], ["1", "a"]]),
    "two tables": (
        "a.csv",
        "id,name\n1,a\n2,b\n3,c\n\nplace,city,zip\nx,y,1\nz,w,2\nq,r,3\n",
        [
            ["id", "name"],
            ["1", "a"],
            ["2", "b"],
            ["3", "c"],
            ["place", "city", "zip"],
            ["x", "y", "1"],
            ["z", "w", "2"],
            ["q", "r", "3"],
        ],
    ),
    "line ends of an old Mac": ("a.csv", "id,name\r1,a\r2,b\r", [["id", "name"], ["1", "a"], ["2", "b"]]),
    "JSON Lines under the name csv": ("a.csv", '{"a": 1}\n{"a": 2}\n', [["a"], [1], [2]]),
    "CSV under the name json": (
        "a.json",
        "id,name\n1,a\n2,b\n3,c\n",
        [["id", "name"], ["1", "a"], ["2", "b"], ["3", "c"]],
    ),
    "null among objects": ("a.json", '[{"a": 1}, null, {}, {"a": 2}]', [["a"], [1], [None], [None], [2]]),
    "one object a line": ("a.jsonl", '{"id": 1, "said": [{"a": 2}]}\n', [["id", "said"], [1, [{"a": 2}]]]),
    "separators inside of JSON Lines": (
        "a.jsonl",
        '{"a": "x\u2028y"}\n\n{"a": "\x85"}\n',
        [["a"], ["x\u2028y"], ["\x85"]],
    ),
    "objects one after another": ("a.json", '{\n "a": 1\n}\n{\n "a": 2\n}{"a": 3}', [["a"], [1], [2], [3]]),
    "a JSON text sequence": ("a.json", '\x1e{"a": 1}\n\x1e{"a": 2}\n', [["a"], [1], [2]]),
    "a list deep inside": ("a.json", '{"errors": [], "data": {"items": [{"a": 1}]}}', [["a"], [1]]),
    "JSON Lines without a suffix": ("events", '{"a": 1}\n{"a": 2}\n{"a"', [["a"], [1], [2]]),
    "JSON Lines in a log": ("a.log", '{"a": 1}\n{"a": 2}\n', [["a"], [1], [2]]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_split_by_its_own_dialect(kind: str) -> None:
    name, data, rows = TABLES[kind]
    source = Source(name, data=data.encode() if isinstance(data, str) else data)
    assert tables(source) == {name: rows}


def test_an_object_with_several_lists_has_a_table_for_each() -> None:
    data = b'{"users": [{"id": 1}], "shop": {"orders": [{"no": 7}, {"no": 8}]}, "tags": ["a"]}'
    assert tables(Source("a.json", data=data)) == {"users": [["id"], [1]], "shop.orders": [["no"], [7], [8]]}


def test_two_lists_of_one_path_are_both_there() -> None:
    found = tables(Source("a.json", data=b'{"x.y": [{"a": 1}], "x": {"y": [{"a": 2}]}}'))
    assert found == {"x.y": [["a"], [1]], "x.y (2)": [["a"], [2]]}


def test_an_empty_table_says_so() -> None:
    with pytest.raises(ReadError, match=r"a.csv is empty: it has no rows\."):
        tables(Source("a.csv", data=b"\n"))


AGENT = (
    '10.0.0.%d - - [10/Oct/2024:13:55:01 +0000] "GET /a HTTP/1.1" 200 7 "-" "Mozilla/5.0 (X11; Linux; rv:1) Gecko"\n'
)
NO_TABLES = {
    "a web server's log": AGENT,
    "C": "int a%d = 1;\n",
    "SQL": "INSERT INTO t VALUES (%d, 'a, b');\n",
    "items of a list": "    %d,\n",
    "syslog": "Jan  1 00:00:01 host app[%d]: user=a; op=b; ok\n",
    "CSS": ".a%d { color: red; margin: 0; }\n",
}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_lines_with_semicolons_are_no_table(kind: str) -> None:
    text = "".join(NO_TABLES[kind] % number for number in range(40))
    assert of_text(text) == ""
    with pytest.raises(ReadError, match="no table that is certain"):
        tables(Source("a.log", data=text.encode()))


def test_rows_that_end_in_a_carriage_return_are_counted() -> None:
    assert of_text("id,name\r1,a\r2,b\r3,c\r") == "It looks like CSV, 3 rows of 2 columns: id, name."


@pytest.mark.parametrize(("name", "line"), [("a.jsonl", 2), ("a.json", 2)])
def test_what_is_no_json_is_named_by_its_line(name: str, line: int) -> None:
    with pytest.raises(ReadError, match=f"{name}: line {line} is no JSON"):
        tables(Source(name, data=b'{"a": 1}\n{"a":\n{"a": 3}\n'))


def test_the_form_of_json_lines_counts_no_separator_inside_of_them() -> None:
    assert of_text('{"a": "x\u2028y"}\n{"a": 2}\n').startswith("It looks like JSON Lines, 2 records")
