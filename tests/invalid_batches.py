"""Bodies of ``POST /send/batch`` that must be refused whole before SES is asked: one wrong recipient stops all."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.batches import COMMON, batch_of, person, trio
from tests.invalid_sends import Case

_PATH = "/send/batch"
_OVER_4_MB = {"filename": "a.pdf", "content": base64.b64encode(bytes(4 * 1024 * 1024 + 1)).decode()}


def _case(name: str, body: Any, *fields: str, status: int = 400, code: str = "invalid_request") -> Case:
    return Case(f"batch: {name}", body, fields, status, code, path=_PATH)


def _second(*fields: str, name: str, **members: Any) -> Case:
    """Build a batch whose second recipient is wrong."""
    people = [person("alice"), {**person("bob"), **members}, person("carol")]
    body = batch_of([{k: v for k, v in one.items() if v is not ...} for one in people])
    return _case(name, body, *(f"recipients[1].{field}" for field in fields))


INVALID_BATCHES = [
    _case("nothing", b"", code="invalid_json"),
    _case("an array", json.dumps([trio()]).encode(), code="invalid_json"),
    _case("NaN", json.dumps(trio()).replace('"1"', "NaN").encode(), code="invalid_json"),
    _case("an empty object", {}, "from", "subject", "template", "recipients"),
    _case("a single mail", {**COMMON, "to": ["alice@example.com"]}, "to", "recipients"),
    _case("no recipients", {**COMMON}, "recipients"),
    _case("recipients null", {**COMMON, "recipients": None}, "recipients"),
    _case("an empty list", batch_of([]), "recipients"),
    _case("recipients an object", {**COMMON, "recipients": person("alice")}, "recipients"),
    _case("recipients a text", {**COMMON, "recipients": "alice@example.com"}, "recipients"),
    _case("101 recipients", batch_of(person(f"p{n}") for n in range(101)), "recipients"),
    _case("addresses only", batch_of(["alice@example.com", None, 7]), *(f"recipients[{n}]" for n in range(3))),  # type: ignore[list-item]
    _case("to, cc and bcc", trio(to=["a@b.example"], cc=["c@d.example"], bcc="e@f.example"), "to", "cc", "bcc"),
    _case("a message_id for many", trio(message_id="<one@mail.example.com>"), "message_id"),
    _case("an unknown member", trio(recipient=[]), "recipient"),
    _case("a wrong sender", trio(**{"from": "noreply"}), "from"),
    _case("a subject of two lines", trio(subject="a\nb"), "subject"),
    _case("no content", {**trio(), "template": None}, "template", *(f"recipients[{n}].data" for n in range(3))),
    _case("template data a list", trio(template={"id": 1, "data": []}), "template.data"),
    _case("HTML for all", trio(template={"id": 1, "data": {"code": "<b>"}}), "template.data.code"),
    _case("metadata for all of over 512 bytes", trio(metadata={"a": "x" * 512}), "metadata"),
    _case("an attachment without name", trio(attachments=[{"content": "QQ=="}]), "attachments[0].filename"),
    _case("attachments of over 4 MB", trio(attachments=[_OVER_4_MB]), "attachments", status=413, code="too_large"),
    _second("to", name="without address", to=...),
    _second("to", name="address null", to=None),
    _second("to", name="address empty", to=""),
    _second("to", name="address a list", to=["bob@example.com"]),
    _second("to", name="address with a name", to="Bob <bob@example.com>"),
    _second("to", name="address with a header", to="bob@example.com\r\nBcc: eve@example.com"),
    _second("to", name="one person twice", to="alice@example.com"),
    _second("to", name="one person twice, in another case", to="ALICE@example.COM"),
    _second("cc", "subject", name="members that each cannot have", cc=["a@b.example"], subject="x"),
    _second("data. ", name="a variable without a name", data={" ": "x"}),
    _second("data", name="data a text", data='{"code": "1"}'),
    _second("data", name="data a list", data=["1"]),
    _second("data.code", name="a variable that is null", data={"code": None}),
    _second("data.code", name="a variable that is true", data={"code": True}),
    _second("data.code", name="HTML in a variable", data={"code": "<b>1</b>"}),
    _second("data.a", "data.b", name="two wrong variables", data={"a": [], "b": {}}),
    _second("metadata", name="metadata a list", metadata=["a"]),
    _second("metadata.order", name="metadata with a number", metadata={"order": 42}),
    _second("metadata", name="metadata of over 512 bytes", metadata={"order": "x" * 512}),
    _case("metadata of over 512 bytes together", batch_of([person("alice", metadata={"b": "y" * 300}), person("bob")],
                                                          metadata={"a": "x" * 300}), "recipients[0].metadata"),
    _case("something of everybody", {**trio(), "from": 1, "x": 1, "recipients": [
        {"to": 1}, {"to": "x", "data": 1, "metadata": 1}, 7, {"to": "a@b.example", "y": 1, "data": {"code": None}},
    ]}, "from", "x", "recipients[0].to", "recipients[1].to", "recipients[1].data", "recipients[1].metadata",
        "recipients[2]", "recipients[3].y", "recipients[3].data.code"),
]  # fmt: skip
