"""Reading files of tickets: what is good is loaded, what is bad is named by its line."""

import gzip
import json
from pathlib import Path

import pytest

from tests.tasks import changed, reviews
from tools.desk.files.columns import parse_map
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import (
    CUT_TEXT,
    LARGEST_ITEM,
    Findings,
    Source,
    Ticket,
    check,
    read,
)

INPUTS = ("subject", "body")
GOOD = b'{"ticket_id": "T-1", "subject": "Hello", "body": "W\xc3\xb6rld", "created_at": "2026"}'
GOOD_TICKET = {"ticket_id": "T-1", "subject": "Hello", "body": "Wörld", "created_at": "2026"}


def source(path: Path | None, *inputs: str, **renamed: str) -> Source:
    """A file for a task that reads these attributes, or subject and body."""
    read_of_it = inputs or INPUTS
    message = "".join(f"{{{name}}}" for name in read_of_it)
    task = changed(input=dict.fromkeys(read_of_it, 100), message=message)
    return Source(path, task, renamed)


def read_all(path: Path, **renamed: str) -> tuple[list[Ticket], Findings]:
    findings = Findings()
    return list(read(source(path, **renamed), findings)), findings


def write(directory: Path, name: str, content: bytes) -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", GOOD + b"\n"),
        ("t.jsonl", GOOD + b"\r\n\r\n"),
        ("T.JSONL", GOOD),
        ("t.csv", "ticket_id,subject,body,created_at\nT-1,Hello,Wörld,2026\n".encode()),
        ("t.csv", "ID;Subject;Body;created_at;x\r\nT-1;Hello;Wörld;2026;y\r\n".encode()),
        ("t.csv", "id\tsubject\tbody\tcreated_at\nT-1\tHello\tWörld\t2026".encode()),
    ],
)
def test_a_ticket_is_read_from_every_kind_of_file(
    tmp_path: Path, name: str, content: bytes, mark: bytes
) -> None:
    path = write(tmp_path, name, mark + content)

    tickets, findings = read_all(path)

    assert tickets == [GOOD_TICKET]
    assert findings == Findings(tickets=1)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl.gz", gzip.compress(b"\xef\xbb\xbf" + GOOD))

    assert read_all(path) == ([GOOD_TICKET], Findings(tickets=1))


def test_a_cell_may_hold_line_breaks_and_an_empty_one_is_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b'id,subject,body\n1,,"two\nlines"\n2,x\n')

    tickets, _ = read_all(path)

    assert tickets == [
        {"ticket_id": "1", "body": "two\nlines"},
        {"ticket_id": "2", "subject": "x"},
    ]


def test_a_number_may_be_an_id_and_texts_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", b'{"id": 17}\n{"id": 18, "subject": null, "extra": [1]}')

    assert read_all(path, body="")[0] == [{"ticket_id": "17"}, {"ticket_id": "18"}]


def test_only_what_the_task_reads_is_kept_and_a_value_of_any_type(tmp_path: Path) -> None:
    values = {"price": 9.5, "stock": 0, "new": False, "tags": ["a", 1], "maker": {"name": "B"}}
    line = {"id": "P-1", **values, "body": "not read", "created_at": "2026"}
    path = write(tmp_path, "t.jsonl", json.dumps(line).encode())

    findings = Findings()
    [ticket] = read(source(path, *values, "missing", missing=""), findings)

    assert ticket == {"ticket_id": "P-1", **values, "created_at": "2026"}
    assert findings == Findings(tickets=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"ticket_id": "2", "body": "\\ud800"}', "not JSON"),
        (b'{"ticket_id": "2", "body": "\xff"}', "not UTF-8"),
        (b"[1]", "not a JSON object"),
        (b'{"subject": "x"}', "no ticket_id"),
        (b'{"ticket_id": "", "id": 5}', "no ticket_id"),
        (b'{"ticket_id": true}', "its id is neither a string nor a number"),
        (b'{"ticket_id": ["2"]}', "its id is neither a string nor a number"),
        (b'{"ticket_id": "%b"}' % ("é" * 513).encode(), "its id is longer than 1,024 bytes"),
        (b'{"ticket_id": "T-1"}', "the same id as line 1"),
        (
            b'{"ticket_id": "2", "subject": ["%b"], "body": "x"}' % (b"x" * LARGEST_ITEM),
            "too large for DynamoDB even with its longest text cut",
        ),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = write(tmp_path, "t.jsonl", GOOD + b"\n\n" + line + b'\n{"id": "last"}')

    tickets, findings = read_all(path)

    assert findings.bad_lines == [(3, reason)]
    assert [ticket["ticket_id"] for ticket in tickets] == ["T-1", "last"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2,b,c,d", "4 values for 3 columns"),
        (b",b,c", "no ticket_id"),
        (b"1,b,c", "the same id as line 2"),
        (b"2,b,\xff", "not UTF-8"),
        (b'2,"b"b,c', "not CSV (',' expected after '\"')"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(
    tmp_path: Path, row: bytes, reason: str
) -> None:
    path = write(tmp_path, "t.csv", b'id,subject,body\n1,"a\nb",\xc3\xa9\n' + row + b"\n9,x,y\n")

    tickets, findings = read_all(path)

    assert findings.bad_lines == [(4, reason)]
    assert [ticket["ticket_id"] for ticket in tickets] == ["1", "9"]


def test_a_quote_that_is_never_closed_is_named_with_what_it_swallowed(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b'id,body\n1,a\n2,"b\n3,c\n4,d\n')

    tickets, findings = read_all(path, subject="")

    assert tickets == [{"ticket_id": "1", "body": "a"}]
    assert findings.bad_lines == [
        (3, "not CSV (unexpected end of data), lost with all up to line 5")
    ]


def test_a_compressed_file_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    lines = b"\n".join(b'{"id": "%d", "body": "%d"}' % (n, n * 7919 % 104729) for n in range(9000))
    path = write(tmp_path, "t.jsonl.gz", gzip.compress(lines)[:-5000])

    tickets, findings = read_all(path, subject="")

    assert 0 < len(tickets) < 9000
    assert findings.bad_lines == [
        (len(tickets) + 1, "the gzip file is cut off here: nothing after it was read")
    ]


def test_a_body_too_large_for_dynamodb_is_cut_at_a_character(tmp_path: Path) -> None:
    body = "é" * 250_000
    path = write(tmp_path, "t.jsonl", json.dumps({"id": "big", "body": "x" + body}).encode())

    [ticket], findings = read_all(path, subject="")

    assert findings.cut == ["big"]
    assert CUT_TEXT - 2 < len(ticket["body"].encode()) <= CUT_TEXT
    assert body.startswith(ticket["body"][1:])


def test_the_longest_text_is_cut_whatever_it_is_called(tmp_path: Path) -> None:
    line = {"ticket_id": "big", "body": "x" * 500_000, "subject": "y" * 1_000, "tags": ["z"] * 9}
    path = write(tmp_path, "t.jsonl", json.dumps(line).encode())

    [ticket] = read(source(path, "tags", "subject", "body"), findings := Findings())

    assert findings.cut == ["big"]
    assert ticket == {**line, "body": "x" * CUT_TEXT}


def test_a_body_that_just_fits_is_left_alone(tmp_path: Path) -> None:
    body = "x" * (LARGEST_ITEM - len("ticket_id" + "big" + "body"))
    path = write(tmp_path, "t.jsonl", json.dumps({"id": "big", "body": body}).encode())

    [ticket], findings = read_all(path, subject="")

    assert (ticket["body"], findings.cut) == (body, [])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.jsonl", b"", "holds no tickets"),
        ("t.jsonl", b"\n\n", "holds no tickets"),
        ("t.csv", b"", "holds no tickets"),
        ("t.csv", b"id,subject,body\n", "holds no tickets"),
        ("t.csv", b"name,subject,body\n1,x,y\n", "has no column ticket_id"),
        ("t.csv", b"\n1,x\n", "2 values for 0 columns"),
        ("t.jsonl.gz", b"not gzip", "Line 1: not gzip, or damaged here"),
        ("t.jsonl", b"x\ny\nz\n", r"Line 1: not JSON \(and 2 more bad lines\)"),
        ("t.json", b"[]", "is none of .csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .jsonl.gz"),
        ("t", GOOD, "is none of"),
    ],
)
def test_a_file_without_a_single_ticket_is_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = write(tmp_path, name, content)

    with pytest.raises(UnusableFile, match=says):
        check(source(path))


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="is a directory"):
        check(source(tmp_path))
    with pytest.raises(UnusableFile, match="No such file"):
        check(source(tmp_path / "missing.csv"))


def test_a_task_that_reads_nothing_of_the_sample_needs_a_file() -> None:
    with pytest.raises(UnusableFile, match="no sample for this task: name a file with TICKETS="):
        check(source(None, "title"))


def test_the_sample_is_good() -> None:
    findings = check(source(None))

    assert findings == Findings(tickets=3_000)


# Encodings.

CSV = "id,subject,body\n1,Größe,naïve\n2,x,y\n"


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1252", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_file_is_read_in_its_encoding_and_an_odd_one_is_told(
    tmp_path: Path, encoding: str, named: str, suffix: str
) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = (mark + CSV).encode(encoding)
    path = write(tmp_path, f"t{suffix}", gzip.compress(content) if "gz" in suffix else content)

    tickets, findings = read_all(path)

    assert tickets[0] == {"ticket_id": "1", "subject": "Größe", "body": "naïve"}
    assert findings == Findings(tickets=2, encoding=named)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_json_is_read_in_other_encodings_too(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "t.jsonl", GOOD.decode().encode(encoding))

    assert read_all(path)[0] == [GOOD_TICKET]


def test_a_long_file_with_one_late_umlaut_is_still_recognised(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'x' * 100},y\n" for n in range(20_000))
    text = f"id,subject,body\n{rows}last,Größe,y\n"

    for encoding in ("utf-8", "cp1252"):
        tickets, findings = read_all(write(tmp_path, "t.csv", text.encode(encoding)))
        assert tickets[-1]["subject"] == "Größe"
        assert findings.bad_lines == []


def test_a_broken_byte_in_a_file_of_utf_8_spoils_its_line_alone(tmp_path: Path) -> None:
    content = CSV.encode() + b"3,\xff,z\n"

    tickets, findings = read_all(write(tmp_path, "t.csv", content))

    assert len(tickets) == 2
    assert (findings.bad_lines, findings.encoding) == ([(4, "not UTF-8")], "")


# Columns.


@pytest.mark.parametrize(
    "header",
    [
        "Ticket ID,Subject ,BODY",
        "ticket-id,subject,body",
        "TICKET_ID,  Subject,Body",
        "Id,SUBJECT,body",
    ],
)
def test_headers_may_be_spelled_otherwise(tmp_path: Path, header: str) -> None:
    path = write(tmp_path, "t.csv", f"{header}\n1,a,b\n".encode())

    assert read_all(path)[0] == [{"ticket_id": "1", "subject": "a", "body": "b"}]


def test_a_column_of_the_very_name_comes_before_one_of_another_spelling(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b"id,Body,body,subject\n1,no,yes,s\n")

    assert read_all(path)[0] == [{"ticket_id": "1", "subject": "s", "body": "yes"}]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_file_without_a_column_that_is_read_is_refused_with_the_map_that_fits(
    tmp_path: Path, name: str
) -> None:
    rows = "number,subject,description,status\n1,Hello,World,open\n"
    if name == "t.jsonl":
        rows = json.dumps({"id": 1, "number": 1, "subject": "Hello", "description": "World"})
    path = write(tmp_path, name, rows.encode())

    with pytest.raises(UnusableFile) as refused:
        check(source(path))

    said = str(refused.value)
    assert "no column body" in said
    assert "subject, description" in said
    assert "body=description" in said
    fitting = said.partition('MAP="')[2].partition('"')[0]
    [ticket] = read(Source(path, source(path).task, parse_map(fitting)), Findings())
    assert ticket == {"ticket_id": "1", "subject": "Hello", "body": "World"}


def test_a_map_may_say_that_there_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b"id,subject\n1,a\n")

    assert read_all(path, body="")[0] == [{"ticket_id": "1", "subject": "a"}]


@pytest.mark.parametrize(
    ("renamed", "says"),
    [
        ({"body": "text"}, "has no column text. It has: id, subject, body"),
        ({"colour": "body"}, "MAP names colour, which is not read. There are: ticket_id, subject"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(
    tmp_path: Path, renamed: dict[str, str], says: str
) -> None:
    path = write(tmp_path, "t.csv", b"id,subject,body\n1,a,b\n")

    with pytest.raises(UnusableFile, match=says):
        read_all(path, **renamed)


@pytest.mark.parametrize("text", ["body", "=x", "body=a,subject"])
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnusableFile, match="is no list of attribute=column"):
        parse_map(text)


def test_a_map_is_attributes_and_columns() -> None:
    assert parse_map(" body = description ,ticket_id=id,") == {
        "body": "description",
        "ticket_id": "id",
    }
    assert parse_map("") == {}


def test_tickets_without_ids_may_be_named_by_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b"subject,body\na,b\nc,d\n")
    numbered = Source(path, source(path).task, needs_ids=False)

    assert [ticket["ticket_id"] for ticket in read(numbered, Findings())] == ["2", "3"]
    with pytest.raises(UnusableFile, match="has no column ticket_id"):
        check(source(path))


# Values.


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("1" * 39, "a number of more than 38 digits"),
        ("1" + "0" * 130, "a number of more than 38 digits"),
        ("1e-200", "a number that is too large or too small for DynamoDB"),
        ("1e200", "a number that is too large or too small for DynamoDB"),
        ("[" * 40 + "]" * 40, "more than 32 maps or lists in one another"),
        ('["\\ud800"]', "not JSON"),
    ],
)
def test_a_value_that_dynamodb_does_not_take_is_named(
    tmp_path: Path, value: str, says: str
) -> None:
    bad = f'{{"id": 2, "subject": "s", "body": {value}}}'
    path = write(tmp_path, "t.jsonl", GOOD + b"\n" + bad.encode())

    tickets, findings = read_all(path)

    assert len(tickets) == 1
    assert findings.bad_lines == [(2, says)]


@pytest.mark.parametrize("value", [10**37, -(10**100), 0, 0.1, 1.5e100, 12345678901234567890])
def test_a_number_that_dynamodb_takes_is_loaded(tmp_path: Path, value: float) -> None:
    line = {"id": 1, "subject": "s", "body": value}
    path = write(tmp_path, "t.jsonl", json.dumps(line).encode())

    [ticket], findings = read_all(path)

    assert (ticket["body"], findings.bad_lines) == (value, [])


# Right answers.


def labelled(path: Path) -> tuple[list[Ticket], Findings]:
    findings = Findings()
    return list(read(Source(path, reviews()), findings)), findings


def test_right_answers_are_read_by_the_types_of_their_outputs(tmp_path: Path) -> None:
    header = "id,subject,body,expected_status,Expected Topics,expected_size,expected_spam"
    rows = '1,a,b, Good,"Price, look",-3,yes\n2,a,b,of_tomorrow,"[""taste""]",0,FALSE\n'
    tickets, findings = labelled(write(tmp_path, "t.csv", f"{header}\n{rows}".encode()))

    found = [{k: v for k, v in t.items() if k.startswith("expected_")} for t in tickets]
    assert found == [
        {
            "expected_status": "good",
            "expected_topics": ["price", "look"],
            "expected_size": -3,
            "expected_spam": True,
        },
        {
            "expected_status": "of_tomorrow",  # counted as unknown by the report
            "expected_topics": ["taste"],
            "expected_size": 0,
            "expected_spam": False,
        },
    ]
    assert findings.bad_lines == []


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_right_answer_that_is_blank_is_not_known(tmp_path: Path, blank: str | None) -> None:
    outputs = ("status", "topics", "size", "spam")
    row = {"id": 1, "subject": "a", "body": ""} | {f"expected_{name}": blank for name in outputs}

    tickets, findings = labelled(write(tmp_path, "t.jsonl", json.dumps(row).encode()))

    assert tickets == [{"ticket_id": "1", "subject": "a", "body": ""}]
    assert findings.bad_lines == []


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("expected_size", "three", "an expected answer is no whole number"),
        ("expected_spam", "perhaps", "an expected answer is neither yes nor no"),
        ("expected_topics", "[1]", "an expected answer is no list"),
    ],
)
def test_a_right_answer_of_another_type_is_named(
    tmp_path: Path, column: str, cell: str, says: str
) -> None:
    path = write(tmp_path, "t.csv", f"id,subject,body,{column}\n1,a,b,{cell}\n2,a,b,\n".encode())

    tickets, findings = labelled(path)

    assert [ticket["ticket_id"] for ticket in tickets] == ["2"]
    assert findings.bad_lines == [(2, says)]
