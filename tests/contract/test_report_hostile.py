"""What strangers write (addresses, reasons, subjects, links) stays text: in the page, in the table, in the JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from functions.report.page import build_csv
from tests.handlers import DAY, VALID, bucket, call_back, report_table, run, schedule_task, send, timer, write_report

if TYPE_CHECKING:
    from localcloud import LocalCloud

SCRIPT = "<script>alert(1)</script>"
ONLY = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "b", "table", "thead", "tbody", "tr",
        "th", "td"}  # fmt: skip
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A", "=cmd|' /C calc'!A0"]


class Elements(HTMLParser):
    """Which elements and attributes a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def page() -> str:
    """Read the report's page."""
    return bucket(f"reports/dt={DAY}/")[f"reports/dt={DAY}/report.html"].decode()


def test_nothing_of_a_strangers_becomes_markup(cloud: LocalCloud) -> None:
    send({**VALID, "subject": SCRIPT, "to": ["a@example.com"]})
    schedule_task("<img src=x onerror=alert(2)>")
    hostile = {"event": "bounce", "timestamp": 1795161600, "bulkId": SCRIPT, "bounceType": SCRIPT, "reason": SCRIPT}
    call_back({**hostile, "email": f"x@{SCRIPT}.example"})
    call_back({**hostile, "email": 'x@"><img src="https://evil.example/p.png">'})
    call_back({**hostile, "email": "x@{{ report }}{% raw %}"})
    call_back({**hostile, "event": SCRIPT, "email": "x@\u202e\u0000.example"})
    run("snapshot", timer(DAY), time_limit_s=900)
    write_report()
    elements = Elements(page())
    assert elements.tags <= ONLY
    assert elements.attributes <= {"lang", "charset", "name", "content", "class"}
    assert f"{SCRIPT}.example" in elements.text
    assert '"><img src="https://evil.example/p.png">' in elements.text
    assert "<img src=x onerror=alert(2)>" in elements.text
    assert "{{ report }}" in elements.text


def test_the_page_fetches_nothing(cloud: LocalCloud) -> None:
    """One file that can be read on a phone: no script, no link, no picture, no font, no import."""
    send(VALID)
    write_report()
    assert not re.search(r"https?://|//[a-z]|src=|href=|@import|url\(|<script|<link|<iframe", page())


@pytest.mark.parametrize(
    "address", ["x@\ud800.example", "\udc00", "x@\ud83d\ude00.example", "@", "", "x@" + "a" * 50_000]
)
def test_no_address_keeps_the_day_from_being_reported(address: str, cloud: LocalCloud) -> None:
    """One callback must not be able to stop the report."""
    send(VALID)
    call_back({"event": "delivered", "timestamp": 1795161600, "bulkId": "m", "email": address})
    report = write_report()
    assert report["recipients"]["total"] == 2
    assert len(report_table()) == 2
    page()


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_that_would_be_a_formula_is_text(formula: str, cloud: LocalCloud) -> None:
    """https://owasp.org/www-community/attacks/CSV_Injection."""
    event = {"event": "delivered", "timestamp": 1795161600, "bulkId": formula, "email": f"{formula}@evil.example"}
    call_back(event)
    write_report()
    (row,) = report_table()
    assert row["message_id"] == f"'{formula}"
    assert row["recipient"] == f"'{formula}@evil.example".lower()


def test_every_cell_of_every_table_is_inert_and_survives_the_round_trip() -> None:
    rows: list[dict[str, Any]] = [
        {"a": text, "b": -1, "c": None, "d": f"x{text}"} for text in [*FORMULAS, "", 'a"b,c\r\nd', "用户"]
    ]
    text = build_csv(rows).decode("utf-8-sig")
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    for row, back in zip(rows, read, strict=True):
        guarded = row["a"].startswith(tuple("=+-@\t\r\n＝＋－＠"))
        assert back["a"] == ("'" + row["a"] if guarded else row["a"])
        assert (back["b"], back["c"], back["d"]) == ("-1", "", row["d"])


def test_hostile_text_is_in_the_json_as_it_came(cloud: LocalCloud) -> None:
    call_back({"event": "delivered", "timestamp": 1795161600, "bulkId": "m", "email": f"x@{SCRIPT}"})
    report = write_report()
    assert report["by_domain"][0]["domain"] == SCRIPT
    assert json.loads(json.dumps(report)) == report
