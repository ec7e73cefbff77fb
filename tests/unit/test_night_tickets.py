"""Reading files of tickets: what is good is loaded, what is bad is named by its line."""

import gzip
import json
from pathlib import Path

import pytest

from tools.local.night.tickets import (
    CUT_TEXT,
    LARGEST_ITEM,
    Findings,
    Ticket,
    UnusableFile,
    check,
    read,
)

INPUTS = ("subject", "body")
GOOD = b'{"ticket_id": "T-1", "subject": "Hello", "body": "W\xc3\xb6rld", "created_at": "2026"}'
GOOD_TICKET = {"ticket_id": "T-1", "subject": "Hello", "body": "Wörld", "created_at": "2026"}


def read_all(path: Path) -> tuple[list[Ticket], Findings]:
    findings = Findings()
    return list(read(path, findings, INPUTS)), findings


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

    assert read_all(path)[0] == [{"ticket_id": "17"}, {"ticket_id": "18"}]


def test_only_what_the_task_reads_is_kept_and_a_value_of_any_type(tmp_path: Path) -> None:
    values = {"price": 9.5, "stock": 0, "new": False, "tags": ["a", 1], "maker": {"name": "B"}}
    line = {"id": "P-1", **values, "body": "not read", "created_at": "2026"}
    path = write(tmp_path, "t.jsonl", json.dumps(line).encode())

    findings = Findings()
    [ticket] = read(path, findings, [*values, "missing"])

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
    path = write(tmp_path, "t.csv", b'id,subject,body\n1,"a\nb",c\n' + row + b"\n9,x,y\n")

    tickets, findings = read_all(path)

    assert findings.bad_lines == [(4, reason)]
    assert [ticket["ticket_id"] for ticket in tickets] == ["1", "9"]


def test_a_quote_that_is_never_closed_is_named_with_what_it_swallowed(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", b'id,body\n1,a\n2,"b\n3,c\n4,d\n')

    tickets, findings = read_all(path)

    assert tickets == [{"ticket_id": "1", "body": "a"}]
    assert findings.bad_lines == [
        (3, "not CSV (unexpected end of data), lost with all up to line 5")
    ]


def test_a_compressed_file_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    lines = b"\n".join(b'{"id": "%d", "body": "%d"}' % (n, n * 7919 % 104729) for n in range(9000))
    path = write(tmp_path, "t.jsonl.gz", gzip.compress(lines)[:-5000])

    tickets, findings = read_all(path)

    assert 0 < len(tickets) < 9000
    assert findings.bad_lines == [
        (len(tickets) + 1, "the gzip file is cut off here: nothing after it was read")
    ]


def test_a_body_too_large_for_dynamodb_is_cut_at_a_character(tmp_path: Path) -> None:
    body = "é" * 250_000
    path = write(tmp_path, "t.jsonl", json.dumps({"id": "big", "body": "x" + body}).encode())

    [ticket], findings = read_all(path)

    assert findings.cut == ["big"]
    assert CUT_TEXT - 2 < len(ticket["body"].encode()) <= CUT_TEXT
    assert body.startswith(ticket["body"][1:])


def test_the_longest_text_is_cut_whatever_it_is_called(tmp_path: Path) -> None:
    line = {"ticket_id": "big", "body": "x" * 500_000, "subject": "y" * 1_000, "tags": ["z"] * 9}
    path = write(tmp_path, "t.jsonl", json.dumps(line).encode())

    [ticket] = read(path, findings := Findings(), ["tags", "subject", "body"])

    assert findings.cut == ["big"]
    assert ticket == {**line, "body": "x" * CUT_TEXT}


def test_a_body_that_just_fits_is_left_alone(tmp_path: Path) -> None:
    body = "x" * (LARGEST_ITEM - len("ticket_id" + "big" + "body"))
    path = write(tmp_path, "t.jsonl", json.dumps({"id": "big", "body": body}).encode())

    [ticket], findings = read_all(path)

    assert (ticket["body"], findings.cut) == (body, [])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.jsonl", b"", "holds no tickets"),
        ("t.jsonl", b"\n\n", "holds no tickets"),
        ("t.csv", b"", "holds no tickets"),
        ("t.csv", b"id,body\n", "holds no tickets"),
        ("t.csv", b"name,body\n1,x\n", "has no column ticket_id or id"),
        ("t.csv", b"\n1,x\n", "has no column ticket_id or id"),
        ("t.jsonl.gz", b"not gzip", "Line 1: not gzip, or damaged here"),
        ("t.jsonl", b"x\ny\nz\n", r"Line 1: not JSON \(and 2 more bad lines\)"),
        ("t.json", b"[]", "is none of .jsonl, .jsonl.gz, .csv"),
        ("t", GOOD, "is none of"),
    ],
)
def test_a_file_without_a_single_ticket_is_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = write(tmp_path, name, content)

    with pytest.raises(UnusableFile, match=says):
        check(path, INPUTS)


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="is a directory"):
        check(tmp_path, INPUTS)
    with pytest.raises(UnusableFile, match="No such file"):
        check(tmp_path / "missing.csv", INPUTS)


def test_a_task_that_reads_nothing_of_the_sample_needs_a_file() -> None:
    with pytest.raises(UnusableFile, match="no sample for this task: name a file with TICKETS="):
        check(None, ["title"])


def test_the_sample_is_good() -> None:
    findings = check(None, INPUTS)

    assert findings == Findings(tickets=3_000)
