"""What a mail says: template and variables, the legacy Simple content, the subject, the headers of the caller.

Source: https://www.tencentcloud.com/document/api/1084/39502.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses.errors import ApiError
from localcloud.ses.params import is_encodable
from localcloud.ses.store import TEMPLATE_APPROVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.ses.account import Account, Template
    from localcloud.ses.params import Params

SUBJECT_LIMIT_CHARS = 998
SIMPLE_LIMIT_BYTES = 1024 * 1024
ECHO_PREFIX = "x-tencentcloudses-cb-"
"""Headers with this prefix come back with every event; letter case aside."""

_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_HTML_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Content(NamedTuple):
    """``template_id`` is 0 for Simple content; ``variables`` are the values for ``{{name}}``."""

    template_id: int
    variables: dict[str, Any]


def parse_content(account: Account, params: Params) -> Content:
    """Read Template or Simple and check that the account may send it, with every variable given. Raises ApiError."""
    simple = params.structure("Simple")
    if simple is not None:
        simple.allow("Html", "Text")
    template_params = params.structure("Template")
    sizes_bytes = [_decoded_size_bytes(simple, name) for name in ("Html", "Text")] if simple else [0]
    if template_params is None:
        return _simple_content(account, simple, sizes_bytes)
    template, variables = parse_template(account, template_params)
    check_variables(template, variables)
    return Content(template.template_id, variables)


def parse_template(account: Account, params: Params) -> tuple[Template, dict[str, Any]]:
    """Read a Template structure: an approved template and its variables, complete or not."""
    params.allow("TemplateID", "TemplateData")
    template_id = params.integer("TemplateID")
    variables = parse_variables(params.text("TemplateData"))
    template = account.template(template_id)
    if template is None or template.status != TEMPLATE_APPROVED:
        raise ApiError("FailedOperation.InvalidTemplateID", f"TemplateID {template_id}")
    return template, variables


def parse_variables(text: str) -> dict[str, Any]:
    """Read TemplateData: a JSON object in a string, its values plain text without HTML."""
    try:
        variables = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError("FailedOperation.WrongContentJson") from error
    if not isinstance(variables, dict) or not all(map(is_encodable, variables)):
        raise ApiError("FailedOperation.WrongContentJson")
    for name, value in variables.items():
        if isinstance(value, (dict, list)) or (isinstance(value, str) and _HTML_TAG.search(value)):
            raise ApiError("InvalidParameterValue.InValidTemplateData", f"`{name[:100]}`")
        if isinstance(value, str) and not is_encodable(value):
            raise ApiError("FailedOperation.WrongContentJson")
    return variables


def check_variables(template: Template, variables: Mapping[str, Any]) -> None:
    """Refuse a mail that leaves one of its template's variables open."""
    missing = sorted(set(_VARIABLE.findall(template.html + template.text)) - set(variables))
    if missing:
        raise ApiError("InvalidParameterValue.TemplateNotMatchData", f"Missing: {', '.join(missing)}.")


def parse_subject(params: Params, limit_chars: int = SUBJECT_LIMIT_CHARS) -> str:
    """Read Subject: 1 to ``limit_chars`` characters on one line."""
    subject = params.text("Subject")
    if not 1 <= len(subject) <= limit_chars:
        raise ApiError("InvalidParameterValue.SubjectLengthError", f"1-{limit_chars} characters are allowed.")
    if _CONTROL.search(subject):
        raise ApiError("InvalidParameterValue", "`Subject` must be one line.")
    return subject


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Put the values in place of ``{{name}}``; a name without a value stays as it is."""
    return _VARIABLE.sub(lambda match: _CONTROL.sub(" ", str(variables.get(match[1], match[0]))), text)


def parse_echo(account: Account, params: Params) -> dict[str, str]:
    """Read SmtpHeaders by the account's switch; return the headers that come back with every event."""
    text = params.text_or("SmtpHeaders", "")
    mode = account.switches.smtp_headers
    if not text or mode == "ignore":
        return {}
    if mode == "refuse":
        raise ApiError("InvalidParameterValue", "`SmtpHeaders` is not supported.")
    headers = _parse_headers(text)
    if mode == "x_only" and not all(name.lower().startswith("x-") for name in headers):
        raise ApiError("InvalidParameterValue", "`SmtpHeaders` may hold X- headers only.")
    return {name: value for name, value in headers.items() if name.lower().startswith(ECHO_PREFIX)}


def parse_smtp_message_id(account: Account, params: Params) -> str:
    """Read SmtpMessageId (the Message-Id header) by the account's switch; empty means that SES makes one."""
    text = params.text_or("SmtpMessageId", "")
    mode = account.switches.smtp_message_id
    if not text or mode == "ignore":
        return ""
    if mode == "refuse":
        raise ApiError("InvalidParameterValue", "`SmtpMessageId` is not supported.")
    if len(text) > SUBJECT_LIMIT_CHARS or _CONTROL.search(text):
        raise ApiError("InvalidParameterValue", "`SmtpMessageId` is not a header value.")
    return text


def _parse_headers(text: str) -> dict[str, str]:
    try:
        headers = json.loads(text)
    except (ValueError, RecursionError):
        headers = None
    if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
        raise ApiError("InvalidParameterValue", "`SmtpHeaders` must be a JSON object of texts.")
    return headers


def _is_header(name: str, value: object) -> bool:
    is_name = name.isascii() and name.isprintable() and ":" not in name and " " not in name and bool(name)
    return is_name and isinstance(value, str) and is_encodable(value) and not _CONTROL.search(value)


def _simple_content(account: Account, simple: Params | None, sizes_bytes: list[int]) -> Content:
    if simple is None:
        raise ApiError("FailedOperation.MissingEmailContent")
    if not account.switches.allow_simple:
        raise ApiError("FailedOperation.WithOutPermission")
    if not any(sizes_bytes):
        raise ApiError("FailedOperation.MissingEmailContent")
    if sum(sizes_bytes) > SIMPLE_LIMIT_BYTES:
        raise ApiError("FailedOperation.EmailContentToolarge")
    return Content(0, {})


def _decoded_size_bytes(simple: Params, name: str) -> int:
    try:
        return len(base64.b64decode(simple.text_or(name, ""), validate=True))
    except (binascii.Error, ValueError) as error:
        raise ApiError("InvalidParameterValue.EmailContentIsWrong") from error
