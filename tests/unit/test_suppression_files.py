"""The suppression list as a file: what is exported is read back to the very entries; what is bad is named line by line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.suppression_files import (
    COLUMNS,
    BadFileError,
    Source,
    csv_header,
    csv_line,
    is_address,
    jsonl_line,
    read_entries,
)
from shared.trail.records import iso
from shared.trail.suppression import REASONS, Cause, Entry, Removal, Selection, encode, entry, parse, strongest

NOW = 1795162200.0
SOURCE = Source("list.csv", NOW, 8 * 3600)
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

times = st.integers(0, 10**6).map(lambda second: iso(NOW + second / 4))
# What a stranger may have put there: formulas, apostrophes, quotes, line ends, NUL, half a surrogate pair.
texts = st.text(st.sampled_from("=+-@'\"\t\r\n,;\x00\ud800＝a1 用"), max_size=8)
causes = st.builds(
    Cause,
    since=times,
    reason=st.sampled_from(REASONS),
    until=st.none() | times,
    source=texts,
    event_id=st.none() | texts,
    message_id=st.none() | texts,
    detail=st.none() | texts,
    machine=st.sampled_from([None, "suspected"]),
    note=st.none() | texts,
)
selections = st.builds(
    Selection, reason=st.none(), source=st.none() | texts, since=st.none() | times, until=times, machine=st.booleans()
)
removals = st.builds(Removal, at=times, by=texts, selection=selections, restored_at=st.none() | times)
entries = st.builds(
    entry, texts.filter(str.strip), st.lists(causes, max_size=3), st.lists(removals, max_size=2)
)  # fmt: skip


def problems(content: bytes) -> list[tuple[int, str]]:
    """Return what the import says of a bad file."""
    with pytest.raises(BadFileError) as caught:
        read_entries(content, SOURCE)
    return caught.value.problems


@given(st.lists(entries, max_size=4, unique_by=lambda known: known.address), st.sampled_from(["csv", "jsonl"]))
def test_an_export_is_read_back_to_the_very_entries(known: list[Entry], kind: str) -> None:
    if kind == "csv":
        content = csv_header() + b"".join(csv_line(one, NOW) for one in known)
    else:
        content = b"".join(map(jsonl_line, known))
    assert read_entries(content, SOURCE) == {one.address: one for one in known}


@given(st.lists(entries, min_size=1, max_size=3))
def test_no_cell_is_a_formula_to_a_spreadsheet(known: list[Entry]) -> None:
    content = (csv_header() + b"".join(csv_line(one, NOW) for one in known)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(known) + 1
    assert not any(cell.startswith(FORMULAS) for row in rows for cell in row)


def test_the_cells_say_what_holds_now() -> None:
    known = entry(
        "a@example.com",
        [Cause(iso(NOW), "complaint", None, "ses", "e1"), Cause(iso(NOW), "manual", iso(NOW + 9), "cli")],
    )
    (row,) = csv.DictReader(io.StringIO((csv_header() + csv_line(known, NOW)).decode("utf-8-sig"), newline=""))
    assert {name: row[name] for name in COLUMNS[:6]} == {
        "address": "a@example.com", "active": "yes", "reason": "complaint", "since": iso(NOW), "until": "", "source": "ses",
    }  # fmt: skip
    over = entry("a@example.com", [Cause(iso(NOW), "manual", iso(NOW + 9), "cli")])
    assert b",no,manual," in csv_line(over, NOW + 10)


def test_an_exported_row_that_somebody_edited_is_named() -> None:
    """The cells and the entry beside them must not say two things; with the entry emptied, the cells count."""
    known = entry("a@example.com", [Cause(iso(NOW), "complaint", None, "ses", "e1")])
    content = csv_header() + csv_line(known, NOW)
    edited = content.replace(b",complaint,", b",manual,")
    ((line, problem),) = problems(edited)
    assert line == 2
    assert problem.startswith("reason says something else")
    (row,) = csv.DictReader(io.StringIO(edited.decode("utf-8-sig"), newline=""))
    emptied = io.StringIO()
    csv.DictWriter(emptied, COLUMNS).writerows([dict(zip(COLUMNS, COLUMNS, strict=True)), {**row, "entry": ""}])
    (taken,) = read_entries(emptied.getvalue().encode(), SOURCE).values()
    assert strongest(taken) == Cause(iso(NOW), "manual", None, "ses")
    line_of_json = jsonl_line(known).replace(b'"reason":"complaint"', b'"reason":"manual"', 1)
    assert problems(line_of_json)[0][1].startswith("its first members say something else")


@pytest.mark.parametrize(
    "content",
    [
        b"a@example.com\nB@Example.com\n",
        b"\xef\xbb\xbfa@example.com\r\n\r\n  b@example.com  \r\n",
        b"address\na@example.com\nb@example.com",
        b"Email,name\na@example.com,Ann\nb@example.com,Bob\n",
        b'"a@example.com"\n"b@example.com",import\n',
    ],
)
def test_plain_lines_and_the_lists_of_others_are_read(content: bytes) -> None:
    found = read_entries(content, SOURCE)
    assert set(found) == {"a@example.com", "b@example.com"}
    assert {strongest(known) for known in found.values()} == {Cause(iso(NOW), "import", None, "list.csv")}


def test_columns_by_position_and_by_name() -> None:
    by_position = b"a@example.com,Bounce,2026-12-31,moved away\n"
    by_name = b"note,x\n"  # no address in front: it is no header, and no address either
    day_end = "2026-12-31T16:00:00Z"  # of the zone of SOURCE
    (known,) = read_entries(by_position, SOURCE).values()
    assert strongest(known) == Cause(iso(NOW), "hard_bounce", day_end, "list.csv", note="moved away")
    assert problems(by_name) == [(1, "not an address")]
    named = b"address,note,until,since,reason\na@example.com,n,2027-01-01T00:00:00Z,2026-11-01,spam\n"
    (known,) = read_entries(named, SOURCE).values()
    assert strongest(known) == Cause("2026-10-31T16:00:00Z", "complaint", "2027-01-01T00:00:00Z", "list.csv", note="n")


def test_only_an_apostrophe_that_disarms_a_formula_is_taken_off() -> None:
    """Others belong to the address or the note: ``'t`` is how some words and some local parts begin."""
    content = b"address,note\n'tis@example.com,'twas said\n'=x@example.com,'=1+1\n"
    told = {address: one.causes[0].note for address, one in read_entries(content, SOURCE).items()}
    assert told == {"'tis@example.com": "'twas said", "=x@example.com": "=1+1"}


def test_an_address_twice_is_one_entry_with_both_causes() -> None:
    (known,) = read_entries(b"a@example.com,complaint\nA@example.com,manual\n", SOURCE).values()
    assert {cause.reason for cause in known.causes} == {"complaint", "manual"}


def test_every_bad_line_is_named_at_once() -> None:
    content = (
        b"a@example.com\nnobody\n\nb@example.com,because\nc@example.com,manual,someday\nd@example.com,manual,2020-01-01\n"
        b"e@example.com,manual,,note,more\nf g@example.com\n" + b"x" * 400 + b"@example.com\n"
    )
    told = problems(content)
    assert [line for line, _ in told] == [2, 4, 5, 6, 7, 8, 9]
    assert [problem.split(" ")[0] for _, problem in told] == ["not", "the", "someday", "until", "has", "not", "not"]


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"a@example.com\n\xff@example.com\n", 2), (b'{"v":1}\n', 1), (b'{"v":1', 1), (b'a@example.com\n"a\x00', 2),
     (b"address,entry\na@example.com,{}\n", 2)],
)  # fmt: skip
def test_what_cannot_be_read_is_named_by_its_line(content: bytes, line: int) -> None:
    assert problems(content)[0][0] == line


@pytest.mark.parametrize(("whose", "member"), [
    ("causes", "source"), ("causes", "note"), ("causes", "machine"), ("causes", "detail"), ("causes", "event_id"),
    ("removals", "by"), ("removals", "reason"), ("removals", "source"),
])  # fmt: skip
def test_a_member_that_is_no_text_is_no_entry(whose: str, member: str) -> None:
    """Else one line of a file would keep the whole list from being shown or exported."""
    removal = Removal(iso(NOW), "cli", Selection(until=iso(NOW - 60)))
    told = json.loads(encode(entry("a@example.com", [Cause(iso(NOW), "manual", None, "cli")], [removal])))
    told[whose][0][member] = 5
    with pytest.raises(ValueError, match="not an entry"):
        parse(json.dumps(told))


def test_a_cell_may_be_longer_than_the_csv_module_likes() -> None:
    known = entry("a@example.com", [Cause(iso(NOW), "manual", None, "cli", note="n" * 200_000)])
    assert read_entries(csv_header() + csv_line(known, NOW), SOURCE) == {known.address: known}


def test_what_is_an_address() -> None:
    assert all(map(is_address, ("a@b", "用户@例子.cn", "'=a@b.c", '"a b"@c.d'.replace(" ", "_"))))
    assert not any(map(is_address, ("", "a", "@b", "a@", "a b@c", "a@b\n", "a\x00@b", "a@" + "b" * 320)))


@given(st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_entries_or_bad_lines(content: bytes) -> None:
    try:
        told = [(1, address) for address in read_entries(content, SOURCE)]
    except BadFileError as error:
        told = error.problems
    assert all(line > 0 and text for line, text in told)
