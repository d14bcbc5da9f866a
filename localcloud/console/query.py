"""What is typed into the search box, as conditions on the mails that SES accepted. Pure.

``bounce alice`` finds mails with both words anywhere; ``from: to: subject: id: meta: is:`` look in one place;
``"two words"`` is one term.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from localcloud.problems import Invalid, Problem

OUTCOMES = (
    *("queued", "delivered", "opened", "clicked", "deferred"),
    *("bounced", "dropped", "refused", "complained", "unsubscribed"),
)
"""What a recipient's row comes down to, in one word."""
OUTCOME_SQL = """CASE WHEN send_status <> 0 THEN 'refused' WHEN deliver_status = 3 THEN 'bounced'
    WHEN deliver_status = 2 THEN 'dropped' WHEN complained THEN 'complained' WHEN unsubscribed THEN 'unsubscribed'
    WHEN deliver_status = 8 THEN 'deferred' WHEN clicked THEN 'clicked' WHEN opened THEN 'opened'
    WHEN deliver_status = 1 THEN 'delivered' ELSE 'queued' END"""
"""The most telling first: a mail that was opened and then complained about is complained about."""

_TERM = re.compile(r'(?:(?P<field>from|to|subject|id|meta|is):)?(?:"(?P<phrase>[^"]*)"|(?P<word>\S+))', re.IGNORECASE)
_COLUMNS = {
    "from": ("sender",),
    "to": ("recipients",),
    "subject": ("subject",),
    "id": ("message_id", "smtp_message_id"),
    "meta": ("echo", "metadata_of(echo)"),
}
_ANYWHERE = tuple(column for columns in _COLUMNS.values() for column in columns)
_JSON_COLUMNS = frozenset({"recipients", "echo", "metadata_of(echo)"})


class Condition(NamedTuple):
    """A part of a WHERE clause over ``message`` and the values for its question marks."""

    sql: str
    values: tuple[str, ...]


def parse_query(text: str) -> list[Condition]:
    """Read the search box; every term must hold. Raises Invalid for an ``is:`` that is no outcome."""
    conditions = []
    for match in _TERM.finditer(text):
        field, term = (match["field"] or "").lower(), match["phrase"] if match["word"] is None else match["word"]
        if field == "is":
            conditions.append(outcome_condition(term.lower()))
        elif term:
            conditions.append(_contains(_COLUMNS.get(field, _ANYWHERE), term))
    return conditions


def outcome_condition(outcome: str) -> Condition:
    """Build the condition that one recipient at least has ``outcome``. Raises Invalid for an unknown word."""
    if outcome not in OUTCOMES:
        raise Invalid([Problem("outcome", f"must be one of {', '.join(OUTCOMES)}")])
    sql = f"EXISTS (SELECT 1 FROM status WHERE status.message_id = message.message_id AND {OUTCOME_SQL} = ?)"
    return Condition(sql, (outcome,))


def _contains(columns: tuple[str, ...], term: str) -> Condition:
    sql = " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in columns)
    return Condition(f"({sql})", tuple(_pattern(term, is_json=column in _JSON_COLUMNS) for column in columns))


def _pattern(term: str, *, is_json: bool) -> str:
    # Columns that hold JSON spell some characters differently.
    spelled = json.dumps(term)[1:-1] if is_json else term
    return "%" + re.sub(r"([\\%_])", r"\\\1", spelled) + "%"
