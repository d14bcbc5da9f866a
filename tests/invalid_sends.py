"""Bodies of ``POST /send`` that must be refused before SES is asked: what is sent, and every field that must be named.

Limits: seed 002 (SendEmail) and https://cloud.tencent.com/document/product/1288/51951 (attachments).
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from tests.handlers import VALID

_FILE = {"filename": "a.pdf", "content": base64.b64encode(b"%PDF-1.4").decode()}
_MEGABYTE = base64.b64encode(bytes(1024 * 1024)).decode()
_OVER_4_MB = base64.b64encode(bytes(4 * 1024 * 1024 + 1)).decode()
_OF_3_5_MB = {**_FILE, "content": base64.b64encode(bytes(7 * 2**19)).decode()}
_LEGACY = {name: value for name, value in VALID.items() if name != "template"}
_ABSENT = object()


class Case(NamedTuple):
    """``body``: bytes as they are, anything else as JSON. ``fields``: the field of every problem, in any order."""

    name: str
    body: Any
    fields: tuple[str, ...]
    status: int = 400
    code: str = "invalid_request"
    path: str = "/send"


def _people(count: int) -> list[str]:
    return [f"p{number}@example.com" for number in range(count)]


def _case(name: str, /, *fields: str, status: int = 400, code: str = "invalid_request", **changes: Any) -> Case:
    given = {**VALID, **{key.removesuffix("_"): value for key, value in changes.items()}}
    return Case(name, {k: v for k, v in given.items() if v is not _ABSENT}, fields, status, code)


def _with(raw: str, **changes: Any) -> Any:
    return {**VALID, raw: changes}


def _json(name: str, body: bytes) -> Case:
    return Case(name, body, (), 400, "invalid_json")


def _attached(name: str, /, *fields: str, count: int = 1, **changes: Any) -> Case:
    file = {k: v for k, v in {**_FILE, **changes}.items() if v is not _ABSENT}
    return _case(name, *fields, attachments=[file] * count)


_VALID_TEXT = json.dumps(VALID)
UNREADABLE = [
    _json("empty", b""),
    _json("blank", b" \r\n"),
    _json("cut short", _VALID_TEXT[:-1].encode()),
    _json("two objects", (_VALID_TEXT * 2).encode()),
    _json("a form", b"from=a%40b.example&to=c%40d.example"),
    _json("an array", f"[{_VALID_TEXT}]".encode()),
    _json("a text", b'"hello"'),
    _json("a number", b"7"),
    _json("null", b"null"),
    _json("true", b"true"),
    _json("latin-1", _VALID_TEXT.replace("code", "c\u00f6de").encode("latin-1")),
    _json("bytes of no encoding", b'{"subject": "\xff\xfe\xfa"}'),
    _json("single quotes", b"{'from': 'a@b.example'}"),
    _json("a trailing comma", b'{"subject": "x",}'),
    _json("a comment", b'{"subject": "x" /* why */}'),
    _json("NaN", _VALID_TEXT.replace('"1234"', "NaN").encode()),
    _json("Infinity", _VALID_TEXT.replace('"1234"', "Infinity").encode()),
    _json("-Infinity", _VALID_TEXT.replace('"1234"', "-Infinity").encode()),
    _json("a number beyond a double", _VALID_TEXT.replace('"1234"', "1e999").encode()),
    _json("half a surrogate pair in a value", _VALID_TEXT.replace("Your code", "\\ud83d").encode()),
    _json("the other half", _VALID_TEXT.replace("Your code", "\\ude00").encode()),
    _json("half a surrogate pair in a name", _VALID_TEXT.replace('"code"', '"\\ud800"').encode()),
    _json("an integer of 5000 digits", _VALID_TEXT.replace('"1234"', "9" * 5000).encode()),
    _json("100 000 open brackets", b"[" * 100_000),
    _json("100 000 open braces", b'{"a":' * 100_000),
    _json("nested 50 000 deep", b'{"to": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    _json("a raw control character", _VALID_TEXT.replace("Your code", "Your\x00code").encode()),
    _json("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
]

WHO = [
    Case("an empty object", {}, ("from", "to", "subject", "template")),
    _case("no sender", "from", from_=_ABSENT),
    _case("sender null", "from", from_=None),
    _case("sender empty", "from", from_=""),
    _case("sender 0", "from", from_=0),
    _case("sender an object", "from", from_={}),
    _case("sender a list", "from", from_=["noreply@mail.example.com"]),
    _case("sender without domain", "from", from_="noreply"),
    _case("sender without local part", "from", from_="@mail.example.com"),
    _case("alias with a colon", "from", from_="Acme: Shop <noreply@mail.example.com>"),
    _case("alias without a space", "from", from_="Acme<noreply@mail.example.com>"),
    _case("alias with two spaces", "from", from_="Acme  <noreply@mail.example.com>"),
    _case("alias with a space before it", "from", from_=" Acme <noreply@mail.example.com>"),
    _case("brackets without alias", "from", from_="<noreply@mail.example.com>"),
    _case("alias with a bracket", "from", from_="Ac<me <noreply@mail.example.com>"),
    _case("text after the address", "from", from_="Acme <noreply@mail.example.com> x"),
    _case("a header in the alias", "from", from_="Acme\r\nBcc: eve@example.com <noreply@mail.example.com>"),
    _case("a line feed in the alias", "from", from_="Ac\nme <noreply@mail.example.com>"),
    _case("NUL in the alias", "from", from_="Ac\x00me <noreply@mail.example.com>"),
    _case("a line separator in the alias", "from", from_="Ac\u2028me <noreply@mail.example.com>"),
    _case("a header after the sender", "from", from_="noreply@mail.example.com\r\nBcc: eve@example.com"),
    _case("two senders", "from", from_="a@mail.example.com,b@mail.example.com"),
    _case("nobody", "to", to=[]),
    _case("to null", "to", to=None),
    _case("to absent", "to", to=_ABSENT),
    _case("to a text", "to", to="alice@example.com"),
    _case("to an object", "to", to={"alice@example.com": "Alice"}),
    _case("51 recipients", "to", to=_people(51)),
    _case("21 in copy", "cc", cc=_people(21)),
    _case("21 in blind copy", "bcc", bcc=_people(21)),
    _case("a recipient that is a number", "to[1]", to=["alice@example.com", 7]),
    _case("a recipient that is null", "to[0]", to=[None]),
    _case("an empty recipient", "to[0]", to=[""]),
    _case("a recipient with a name", "to[0]", to=["Alice <alice@example.com>"]),
    _case("a recipient without domain", "to[0]", to=["alice"]),
    _case("a recipient with two @", "to[0]", to=["alice@bob@example.com"]),
    _case("a recipient of one label", "to[0]", to=["alice@localhost"]),
    _case("a recipient with a blank", "to[0]", to=["alice @example.com"]),
    _case("a recipient with a dot at the end", "to[0]", to=["alice@example.com."]),
    _case("a recipient with two dots", "to[0]", to=["alice..b@example.com"]),
    _case("a recipient outside ASCII", "to[0]", to=["\u5f20@example.com"]),
    _case("a label with a hyphen first", "to[0]", to=["alice@-example.com"]),
    _case("a label of 64", "to[0]", to=[f"alice@{'a' * 64}.com"]),
    _case("a local part of 65", "to[0]", to=[f"{'a' * 65}@example.com"]),
    _case("an address of 255", "to[0]", to=[f"a@{'.'.join(['b' * 60] * 4)}.{'c' * 9}"]),
    _case("an address of 100 000", "to[0]", to=["a" * 100_000 + "@example.com"]),
    _case("a header after a recipient", "to[0]", to=["alice@example.com\r\nBcc: eve@example.com"]),
    _case("a line feed after a recipient", "to[0]", to=["alice@example.com\n"]),
    _case("two recipients in one", "to[0]", to=["alice@example.com,bob@example.com"]),
    _case("a recipient twice", "to[1]", to=["alice@example.com", "Alice@Example.com"]),
    _case("bcc repeats to", "bcc[0]", bcc=["ALICE@example.com"]),
    _case("cc repeats to", "cc[0]", cc=["alice@example.com"]),
    _case("bcc repeats cc", "bcc[1]", cc=["bob@example.com"], bcc=["carol@example.com", "bob@example.com"]),
    _case("every recipient wrong", "to[0]", "to[1]", "cc[0]", "bcc[0]", to=["a", "b"], cc=["c"], bcc=["d"]),
    _case("reply_to a list", "reply_to", reply_to=["help@example.com"]),
    _case("reply_to with a name", "reply_to", reply_to="Help <help@example.com>"),
    _case("two reply_to", "reply_to", reply_to="a@example.com, b@example.com"),
    _case("a header after reply_to", "reply_to", reply_to="help@example.com\r\nX-A: b"),
    _case("header_from without address", "header_from", header_from="Acme"),
    _case("header_from with a colon", "header_from", header_from="A: B <noreply@mail.example.com>"),
    _case("header_from a number", "header_from", header_from=1),
]

WHAT = [
    _case("no subject", "subject", subject=_ABSENT),
    _case("an empty subject", "subject", subject=""),
    _case("subject 0", "subject", subject=0),
    _case("subject a list", "subject", subject=["Your code"]),
    _case("a subject of 999", "subject", subject="x" * 999),
    _case("a header in the subject", "subject", subject="Hi\r\nBcc: eve@example.com"),
    _case("a carriage return in the subject", "subject", subject="Hi\rthere"),
    _case("a line feed in the subject", "subject", subject="Hi\n"),
    _case("NUL in the subject", "subject", subject="Hi\x00there"),
    _case("a vertical tab in the subject", "subject", subject="Hi\x0bthere"),
    _case("a next-line character in the subject", "subject", subject="Hi\x85there"),
    _case("a paragraph separator in the subject", "subject", subject="Hi\u2029there"),
    _case("no content at all", "template", template=_ABSENT),
    _case("template null", "template", template=None),
    _case("template a number", "template", template=100091),
    _case("template a list", "template", template=[100091]),
    _case("template without id", "template.id", template={"data": {"code": "1"}}),
    _case("template id a text", "template.id", template={"id": "100091"}),
    _case("template id true", "template.id", template={"id": True}),
    _case("template id 0", "template.id", template={"id": 0}),
    _case("template id below 0", "template.id", template={"id": -1}),
    _case("template id with a fraction", "template.id", template={"id": 1.5}),
    _case("template id of 65 bits", "template.id", template={"id": 2**64}),
    _case("template data a text", "template.data", template={"id": 1, "data": '{"code": "1"}'}),
    _case("template data a list", "template.data", template={"id": 1, "data": ["1"]}),
    _case("a variable that is null", "template.data.code", template={"id": 1, "data": {"code": None}}),
    _case("a variable that is true", "template.data.code", template={"id": 1, "data": {"code": True}}),
    _case("a variable that is a list", "template.data.code", template={"id": 1, "data": {"code": ["1"]}}),
    _case("a variable that is an object", "template.data.code", template={"id": 1, "data": {"code": {}}}),
    _case("HTML in a variable", "template.data.code", template={"id": 1, "data": {"code": "<b>1</b>"}}),
    _case("a script in a variable", "template.data.code", template={"id": 1, "data": {"code": "<script>"}}),
    _case("a member that the template does not have", "template.name", template={"id": 1, "name": "x"}),
    _case("a variable without a name", "template.data.", template={"id": 1, "data": {"": "1"}}),
    _case("a variable whose name is blank", "template.data. ", template={"id": 1, "data": {" ": "1"}}),
    _case("template and html", "template", html="<p>Hello</p>"),
    _case("template and text", "template", text="Hello"),
    _case("html a list", "html", "template", template=_ABSENT, html=["<p>"]),
    _case("text a number", "text", "template", template=_ABSENT, text=1),
    _case("an unknown language", "unsubscribe", unsubscribe="tlh"),
    _case("a language by number", "unsubscribe", unsubscribe=1),
    _case("a language by number as text", "unsubscribe", unsubscribe="1"),
    _case("transactional a text", "transactional", transactional="true"),
    _case("transactional 1", "transactional", transactional=1),
    _case("an unknown member", "tempalte", tempalte={"id": 1}),
    _case("three unknown members", "From", "sender", "\u53d1\u4ef6\u4eba", From="x", sender="y", 发件人="z"),
    _case("a member that only a batch has", "recipients", recipients=[]),
]  # fmt: skip

EXTRAS = [
    _case("headers a list", "headers", headers=["X-A: b"]),
    _case("a header that is a number", "headers.X-A", headers={"X-A": 1}),
    _case("a header without name", "headers.", headers={"": "x"}),
    _case("a header with a blank in its name", "headers.X A", headers={"X A": "x"}),
    _case("a header with a colon in its name", "headers.X:", headers={"X:": "x"}),
    _case("a header name outside ASCII", "headers.X-\u57ce", headers={"X-\u57ce": "x"}),
    _case("a line break in a header's name", "headers.X-A\r\nBcc", headers={"X-A\r\nBcc": "eve@example.com"}),
    _case("a header in a header", "headers.X-A", headers={"X-A": "b\r\nBcc: eve@example.com"}),
    _case("a line feed in a header", "headers.X-A", headers={"X-A": "b\nc"}),
    _case("NUL in a header", "headers.X-A", headers={"X-A": "b\x00c"}),
    _case("a header of 1000", "headers.X-A", headers={"X-A": "b" * 1000}),
    _case("headers that are not the caller's", "headers.Bcc", "headers.FROM", "headers.Subject",
          headers={"Bcc": "eve@example.com", "FROM": "eve@example.com", "Subject": "x"}),
    _case("a forged callback token", "headers.X-Tencentcloudses-Cb-Custom", headers={"X-Tencentcloudses-Cb-Custom": "x"}),
    _case("message_id without domain", "message_id", message_id="welcome"),
    _case("message_id a number", "message_id", message_id=42),
    _case("message_id half in brackets", "message_id", message_id="<a@b.example"),
    _case("message_id with a blank", "message_id", message_id="<a b@c.example>"),
    _case("a header after message_id", "message_id", message_id="<a@b.example>\r\nBcc: eve@example.com"),
    _case("a control character in message_id", "message_id", message_id="<a\x01@b.example>"),
    _case("message_id of 251", "message_id", message_id="a" * 251 + "@b.example"),
    _case("metadata a list", "metadata", metadata=[["order", "42"]]),
    _case("metadata with a number", "metadata.order", metadata={"order": 42}),
    _case("metadata with null and an object", "metadata.a", "metadata.b", metadata={"a": None, "b": {}}),
    _case("metadata of over 512 bytes", "metadata", metadata={"order": "\u57ce" * 200}),
    _case("attachments an object", "attachments", attachments={"filename": "a.pdf"}),
    _case("attachments an empty text", "attachments", attachments=""),
    _case("attachments false", "attachments", attachments=False),
    _case("attachments an empty object", "attachments", attachments={}),
    _case("an attachment that is a text", "attachments[0]", attachments=["a.pdf"]),
    _case("an empty attachment", "attachments[0].filename", "attachments[0].content", attachments=[{}]),
    _attached("an attachment by URL", "attachments[0].url", url="https://example.com/a.pdf"),
    _attached("a filename that is a number", "attachments[0].filename", filename=1),
    _attached("a filename of 256", "attachments[0].filename", filename="a" * 252 + ".pdf"),
    _attached("a path as filename", "attachments[0].filename", filename="../a.pdf"),
    _attached("a blank in a filename", "attachments[0].filename", filename="a b.pdf"),
    _attached("a line break in a filename", "attachments[0].filename", filename="a\r\n.pdf"),
    _attached("a quote in a filename", "attachments[0].filename", filename='a".pdf'),
    _attached("a filename without extension", "attachments[0].filename", filename="pdf"),
    _attached("a filename that is an extension", "attachments[0].filename", filename=".pdf"),
    _attached("a program", "attachments[0].filename", filename="a.exe"),
    _attached("a script behind a picture", "attachments[0].filename", filename="a.png.JS"),
    _attached("content that is not base64", "attachments[0].content", content="%PDF"),
    _attached("base64 without padding", "attachments[0].content", content="YQ"),
    _attached("base64url", "attachments[0].content", content="_-_-"),
    _attached("content null", "attachments[0].content", content=None),
    _attached("content empty", "attachments[0].content", content=""),
    _attached("content outside ASCII", "attachments[0].content", content="\u57ce\u5e02"),
    _attached("11 attachments", "attachments", count=11),
    Case("an attachment of over 4 MB", {**VALID, "attachments": [{**_FILE, "content": _OVER_4_MB}]},
         ("attachments",), 413, "too_large"),
    Case("five attachments of over 4 MB together", {**VALID, "attachments": [{**_FILE, "content": _MEGABYTE}] * 5},
         ("attachments", "body"), 413, "too_large"),
    Case("a mail of over 4 MB with its attachment", {**_LEGACY, "html": "x" * 2**20, "attachments": [_OF_3_5_MB]},
         ("html",), 413, "too_large"),
    Case("a text of over 4 MB", {**_LEGACY, "text": "x" * (2**22 + 1)}, ("text",), 413, "too_large"),
    Case("a body of over 6 MB", {**VALID, "template": {"id": 100091, "data": {"code": "x" * 6 * 2**20}}},
         ("body",), 413, "too_large"),
    Case("a request to SES of over 8 MB", {**VALID, "template": {"id": 100091, "data": {"code": "\u57ce" * 1_500_000}}},
         ("body",), 413, "too_large"),
    Case("too large in every way, and no subject", {
        **_LEGACY, "subject": "", "html": "\u57ce" * 1_600_000, "headers": {"X-A": "\u57ce" * 900_000},
        "attachments": [_OF_3_5_MB],
    }, ("subject", "html", "body", "headers.X-A")),
    Case("over 4 MB and something else", {**VALID, "subject": "", "attachments": [{**_FILE, "content": _OVER_4_MB}]},
         ("attachments", "subject")),
    Case("everything at once", {
        "from": 1, "to": "x", "cc": [1], "bcc": {}, "reply_to": 1, "subject": 1, "template": 1, "html": 1, "text": 1,
        "attachments": 1, "unsubscribe": 1, "transactional": 1, "headers": 1, "header_from": 1, "message_id": 1,
        "metadata": 1, "x": 1,
    }, ("from", "to", "cc[0]", "bcc", "reply_to", "subject", "template", "template", "html", "text", "attachments",
        "unsubscribe", "transactional", "headers", "header_from", "message_id", "metadata", "x")),
]  # fmt: skip

INVALID_SENDS = [*UNREADABLE, *WHO, *WHAT, *EXTRAS]
