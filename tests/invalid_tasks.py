"""Bodies of ``POST /tasks`` that must be refused before anybody is asked: what is sent, and every field to be named.

Limits: https://www.tencentcloud.com/document/api/1084/43052 (BatchSendEmail), .../44867 (CreateReceiverDetail).
"""

from __future__ import annotations

from typing import Any

from tests.invalid_sends import UNREADABLE, Case
from tests.task_making import TASK

_ABSENT = object()
_WHEN = {"begin": "2026-11-21T09:00:00+08:00", "every_hours": 24, "until_stopped": True}


def _case(name: str, /, *fields: str, status: int = 400, code: str = "invalid_request", **changes: Any) -> Case:
    given = {**TASK, **{key.removesuffix("_"): value for key, value in changes.items()}}
    return Case(name, {k: v for k, v in given.items() if v is not _ABSENT}, fields, status, code)


def _people(name: str, /, *fields: str, **options: Any) -> Case:
    people = options.pop("people")
    return _case(name, *fields, recipients=people, **options)


def _data(name: str, /, *fields: str, data: list[Any]) -> Case:
    return _people(name, *fields, people=[{"to": f"p{n}@example.com", "data": one} for n, one in enumerate(data)])


def _when(name: str, /, *fields: str, **changes: Any) -> Case:
    when = {key: value for key, value in {**_WHEN, **changes}.items() if value is not _ABSENT}
    return _case(name, *fields, when=when)


WHO = [
    Case("an empty object", {}, ("from", "subject", "template", "recipients")),
    _case("no sender", "from", from_=_ABSENT),
    _case("sender a list", "from", from_=["noreply@mail.example.com"]),
    _case("alias with a colon", "from", from_="Acme: Shop <noreply@mail.example.com>"),
    _case("a header in the alias", "from", from_="Acme\r\nBcc: eve@example.com <noreply@mail.example.com>"),
    _case("reply_to with a name", "reply_to", reply_to="Help <help@example.com>"),
    _case("nobody", "recipients", recipients=_ABSENT),
    _case("recipients null", "recipients", recipients=None),
    _people("recipients empty", "recipients", people=[]),
    _people("recipients a text", "recipients", people="p0@example.com"),
    _people("recipients an object", "recipients", people={"to": "p0@example.com"}),
    _people("a recipient that is a number", "recipients[1]", people=["p0@example.com", 7]),
    _people("a recipient that is null", "recipients[0]", people=[None]),
    _people("a recipient that is a list", "recipients[0]", people=[["p0@example.com"]]),
    _people("an empty recipient", "recipients[0]", people=[""]),
    _people("a recipient with a name", "recipients[0]", people=["Alice <alice@example.com>"]),
    _people("a recipient without domain", "recipients[0]", people=["alice"]),
    _people("a recipient outside ASCII", "recipients[0]", people=["\u5f20@example.com"]),
    _people("a line feed after a recipient", "recipients[0]", people=["alice@example.com\n"]),
    _people("two recipients in one", "recipients[0]", people=["alice@example.com,bob@example.com"]),
    _people("an address of 255", "recipients[0]", people=[f"a@{'.'.join(['b' * 60] * 4)}.{'c' * 9}"]),
    _people("a recipient twice", "recipients[2]", people=["a@example.com", "b@example.com", "A@Example.com"]),
    _people("a recipient three times", "recipients[1]", "recipients[2]", people=["a@example.com"] * 3),
    _people("twice in two forms", "recipients[1].to", people=["a@example.com", {"to": "a@example.com"}]),
    _people("a recipient without to", "recipients[0].to", people=[{}]),
    _people("to null", "recipients[0].to", people=[{"to": None}]),
    _people("to a list", "recipients[0].to", people=[{"to": ["a@example.com"]}]),
    _people("a member that a recipient has not", "recipients[0].cc", people=[{"to": "a@example.com", "cc": "b"}]),
    _people("metadata of a recipient", "recipients[0].metadata", people=[{"to": "a@example.com", "metadata": {}}]),
    _people("50 001 recipients", "recipients", people=[f"p{n}@example.com" for n in range(50_001)], status=413, code="too_large"),
    _people("50 001 and something else", "recipients", "subject", people=["x"] * 50_001, subject=""),
    _case("a list and recipients", "receiver_id", receiver_id=123),
    _case("a list that is a text", "receiver_id", receiver_id="123", recipients=_ABSENT),
    _case("a list that is true", "receiver_id", receiver_id=True, recipients=_ABSENT),
    _case("list 0", "receiver_id", receiver_id=0, recipients=_ABSENT),
    _case("a list below 0", "receiver_id", receiver_id=-1, recipients=_ABSENT),
    _case("a list with a fraction", "receiver_id", receiver_id=1.5, recipients=_ABSENT),
    _case("a list of 65 bits", "receiver_id", receiver_id=2**64, recipients=_ABSENT),
]  # fmt: skip

WHAT = [
    _case("no subject", "subject", subject=_ABSENT),
    _case("an empty subject", "subject", subject=""),
    _case("subject a list", "subject", subject=["News"]),
    _case("a subject of 101", "subject", subject="x" * 101),
    _case("a subject of 999", "subject", subject="x" * 999),
    _case("a header in the subject", "subject", subject="Hi\r\nBcc: eve@example.com"),
    _case("no template", "template", template=_ABSENT),
    _case("template null", "template", template=None),
    _case("template a number", "template", template=100091),
    _case("template without id", "template.id", template={"data": {"code": "1"}}),
    _case("template id a text", "template.id", template={"id": "100091"}),
    _case("template data a list", "template.data", template={"id": 1, "data": ["1"]}),
    _case("HTML in a variable", "template.data.code", template={"id": 1, "data": {"code": "<b>1</b>"}}),
    _data("a variable without a name", "recipients[0].data. ", data=[{" ": "x"}]),
    _data("data a list", "recipients[0].data", data=[["1"]]),
    _data("data a text", "recipients[0].data", data=['{"code": "1"}']),
    _data("a variable that is null", "recipients[0].data.code", data=[{"code": None}]),
    _data("a variable that is true", "recipients[1].data.code", data=[{"code": "1"}, {"code": True}]),
    _data("a variable that is an object", "recipients[0].data.code", data=[{"code": {}}]),
    _data("HTML in one person's variable", "recipients[1].data.code", data=[{"code": "1"}, {"code": "<script>"}]),
    _data("variables for some only", "recipients[1].data", data=[{"code": "1"}, None]),
    _data("variables for the others only", "recipients[1].data", data=[None, {"code": "1"}]),
    _data("an empty object among others", "recipients[1].data", data=[{"code": "1"}, {}]),
    _data("one variable more", "recipients[1].data", data=[{"code": "1"}, {"code": "1", "x": "1"}]),
    _data("one variable less", "recipients[1].data", "recipients[2].data", data=[{"a": "1", "b": "1"}, {"a": "1"}, {"b": "1"}]),
    _data("801 bytes of variables", "recipients[0].data", data=[{"code": "x" * 789}]),
    _data("more bytes than characters", "recipients[0].data", data=[{"code": "\u57ce" * 300}]),
    _case("html", "html", html="<p>Hello</p>"),
    _case("attachments", "attachments", attachments=[]),
    _case("headers", "headers", headers={"X-A": "b"}),
    _case("metadata", "metadata", metadata={}),
    _case("transactional", "transactional", transactional=True),
    _case("to", "to", to=["a@example.com"]),
    _case("a mistyped member", "recipient", recipient=[]),
    _case("an unknown language", "unsubscribe", unsubscribe="tlh"),
    _case("a language by number", "unsubscribe", unsubscribe=1),
    _case("ad a number", "ad", ad=1),
    _case("ad true", "ad", ad=True),
    _case("an ad elsewhere", "ad", ad="middle"),
]  # fmt: skip

WHEN = [
    _case("when a text", "when", when="later"),
    _case("when a moment", "when", when="2026-11-21T09:00:00+08:00"),
    _case("when a number", "when", when=1795162200),
    _case("when true", "when", when=True),
    _case("when a list", "when", when=["now"]),
    _case("when empty", "when.begin", "when.every_hours", "when.until_stopped", when={}),
    _case("at null", "when.at", when={"at": None}),
    _case("at a number", "when.at", when={"at": 1795248600}),
    _case("at without a zone", "when.at", when={"at": "2026-11-21T09:00:00"}),
    _case("at as SES writes it", "when.at", when={"at": "2026-11-21 09:00:00"}),
    _case("at a day", "when.at", when={"at": "2026-11-21"}),
    _case("at a week", "when.at", when={"at": "2026-W47-6T09:00:00Z"}),
    _case("at without hyphens", "when.at", when={"at": "20261121T090000Z"}),
    _case("at a day that is none", "when.at", when={"at": "2026-02-30T09:00:00Z"}),
    _case("at 25 o'clock", "when.at", when={"at": "2026-11-21T25:00:00Z"}),
    _case("at a zone of 99 hours", "when.at", when={"at": "2026-11-21T09:00:00+99:00"}),
    _case("at other digits", "when.at", when={"at": "\u0662026-11-21T09:00:00Z"}),
    _case("at the year 1", "when.at", "subject", when={"at": "0001-01-01T00:00:00+14:00"}, subject=""),
    _case("at the year 9999", "when.at", when={"at": "9999-12-31T23:59:59-12:00"}),
    _case("in two years", "when.at", when={"at": "2028-11-21T09:00:00Z"}),
    _case("over, and no subject", "when.at", "subject", when={"at": "2026-11-20T08:00:00Z"}, subject=""),
    _case("at and something else", "when.every_hours", when={"at": "2026-11-21T09:00:00Z", "every_hours": 24}),
    _when("no begin", "when.begin", begin=_ABSENT),
    _when("begin without a zone", "when.begin", begin="2026-11-21T09:00:00"),
    _when("begin over, and begins twice", "when.begin", "when.start", begin="2026-11-20T08:00:00Z", start=1),
    _when("no interval", "when.every_hours", every_hours=_ABSENT),
    _when("an interval of 0", "when.every_hours", every_hours=0),
    _when("an interval below 0", "when.every_hours", every_hours=-24),
    _when("an interval of half an hour", "when.every_hours", every_hours=0.5),
    _when("an interval that is a text", "when.every_hours", every_hours="24"),
    _when("an interval that is true", "when.every_hours", every_hours=True),
    _when("an interval of over a year", "when.every_hours", every_hours=8761),
    _when("an end that is not said", "when.until_stopped", until_stopped=_ABSENT),
    _when("an end that SES does not have", "when.until_stopped", until_stopped=False),
    _when("an end that is a moment", "when.until_stopped", until_stopped="2027-01-01T00:00:00Z"),
    _when("a term", "when.term", term=3),
    Case("everything at once", {
        "from": 1, "subject": 1, "template": 1, "recipients": [1, {"to": 1, "data": 1}], "receiver_id": "x", "reply_to": 1,
        "unsubscribe": 1, "ad": 1, "when": 1, "x": 1,
    }, ("from", "subject", "template", "recipients[0]", "recipients[1].to", "recipients[1].data", "receiver_id", "receiver_id",
        "reply_to", "unsubscribe", "ad", "when", "x")),
]  # fmt: skip

INVALID_TASKS = [*UNREADABLE, *WHO, *WHAT, *WHEN]
