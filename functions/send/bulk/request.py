"""``POST /tasks``: untrusted JSON -> a task, or every problem named by field. The contract: README, "Bulk tasks".

Limits: https://www.tencentcloud.com/document/api/1084/43052 (BatchSendEmail), .../44867 (CreateReceiverDetail).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send import members
from functions.send.addresses import is_address
from functions.send.bulk.when import Schedule, parse_when
from functions.send.given import Given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.problems import Problems

MOST_PEOPLE = 50_000
MOST_DATA_BYTES = 800
MOST_SUBJECT_CHARS = 100
_MOST_OF_A_MAIL = 998
"""What members.subject refuses already."""
MOST_ID = 2**63 - 1
AD_LOCATIONS = {"none": 0, "prefix": 1, "suffix": 2}
KEY_REQUIRED = "is required: a bulk mail that goes out twice is the worst of accidents, and only the key prevents it"
PAST = "lies in the past"
_MEMBERS = frozenset("from subject template recipients receiver_id reply_to unsubscribe ad when".split())


class Person(NamedTuple):
    """A recipient. ``data``: TemplateData as SES takes it, a JSON object in a string; empty without variables."""

    email: str
    data: str = ""


class Task(NamedTuple):
    """A task that passed every check. ``receiver_id``: an existing list, and then nobody is in ``people``."""

    sender: str
    subject: str
    template_id: int
    template_data: dict[str, str]
    people: list[Person]
    receiver_id: int | None
    reply_to: str | None
    unsubscribe: str | None
    ad: str
    schedule: Schedule


class _People:
    """Reads recipients: nobody twice, and all with the same variables."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._given = Given({}, problems)
        self._seen: dict[str, int] = {}
        self._names: set[str] | None = None

    def read(self, index: int, item: Any) -> Person | None:
        """Return a recipient, or None with a problem."""
        field = f"recipients[{index}]"
        email, data = item, None
        if isinstance(item, dict):
            self._problems.add_unknown(field, set(item) - {"to", "data"})
            email, data = item.get("to"), item.get("data")
            field += ".to"
        text = self._data(f"recipients[{index}].data", data)
        if not isinstance(email, str) or not is_address(email):
            self._problems.add(field, "is not an address")
            return None
        if (first := self._seen.setdefault(email.lower(), index)) != index:
            self._problems.add(field, f"repeats recipients[{first}]")
        return Person(email, text)

    def _data(self, field: str, data: Any) -> str:
        if data is None and not self._names:  # most lists have no variables of their own
            self._names = set()
            return ""
        before = len(self._problems)
        variables = members.variables(self._given, field, data)
        if len(self._problems) == before:
            self._check_names(field, set(variables))
        text = json.dumps(variables, ensure_ascii=False) if variables else ""
        if (size_bytes := len(text.encode())) > MOST_DATA_BYTES:
            self._problems.add(field, f"at most {MOST_DATA_BYTES} bytes of JSON, got {size_bytes}")
        return text

    def _check_names(self, field: str, names: set[str]) -> None:
        if self._names is None:
            self._names = names
        elif names != self._names:
            wanted = ", ".join(sorted(self._names)) or "none"
            self._problems.add(field, f"must have the variables of the others: {wanted[:200]}")


def parse_task(
    body: Mapping[str, Any], languages: Mapping[str, str], problems: Problems, *, key: str, now: float
) -> Task:
    """Return the task that ``body`` asks for. ``languages problems``: as for a mail; ``now``: epoch seconds.

    Raises Problem (400, or 413 for size alone) that names every problem at once. Of a task that is right but for its
    time being over, that is left to whoever knows whether it was made in time.
    """
    if not key and not problems:
        problems.add("Idempotency-Key", KEY_REQUIRED)
    problems.add_unknown("", set(body) - _MEMBERS)
    given = Given(body, problems)
    template_id, template_data = members.template(given)
    if body.get("template") is None:
        problems.add("template", "is required")
    task = Task(
        sender=members.sender(given, "from", required=True) or "",
        subject=_subject(given),
        template_id=template_id or 0,
        template_data=template_data,
        people=_people(given, problems),
        receiver_id=_receiver_id(given),
        reply_to=members.address(given, "reply_to"),
        unsubscribe=members.language(given, languages),
        ad=_ad(given),
        schedule=parse_when(given, now=now),
    )
    if problems and is_late(task, now):
        problems.add(task.schedule.field, PAST)
    problems.check()
    return task


def is_late(task: Task, now: float) -> bool:
    """Whether the time at which a task was to begin is over."""
    return task.schedule.begin_s is not None and task.schedule.begin_s < now


def _subject(given: Given) -> str:
    subject = members.subject(given)
    if MOST_SUBJECT_CHARS < len(subject) <= _MOST_OF_A_MAIL:
        given.problems.add("subject", f"at most {MOST_SUBJECT_CHARS} characters in a task, got {len(subject)}")
    return subject


def _people(given: Given, problems: Problems) -> list[Person]:
    value = given.body.get("recipients")
    if value is None:
        if given.body.get("receiver_id") is None:
            given.problems.add("recipients", "is required (or receiver_id, for a list that SES has)")
        return []
    if given.body.get("receiver_id") is not None:
        given.problems.add("receiver_id", "excludes recipients")
    if not isinstance(value, list) or not value:
        given.problems.add("recipients", "must be a list of addresses, or of objects with to and data; at least one")
        return []
    if len(value) > MOST_PEOPLE:
        given.problems.add("recipients", f"at most {MOST_PEOPLE}, got {len(value)}", too_large=True)
        return []
    reader = _People(problems)
    return [person for index, item in enumerate(value) if (person := reader.read(index, item))]


def _receiver_id(given: Given) -> int | None:
    value = given.body.get("receiver_id")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MOST_ID:
        given.problems.add("receiver_id", "must be a whole number above 0, of 64 bits")
        return None
    return value


def _ad(given: Given) -> str:
    value = given.text("ad") or "none"
    if value not in AD_LOCATIONS:
        given.problems.add("ad", f"must be one of {', '.join(AD_LOCATIONS)}")
    return value
