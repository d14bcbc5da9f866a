"""Create/Get/List/Update/DeleteEmailTemplate: https://www.tencentcloud.com/document/api/1084/39400.

A new or changed template is pending (1) until it is reviewed: approved (0) or rejected (2); see ``review`` and the
switch ``template_review``.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page
from localcloud.ses.review import next_working_day, reason_against
from localcloud.ses.store import TEMPLATE_APPROVED, TEMPLATE_PENDING, TEMPLATE_REJECTED

if TYPE_CHECKING:
    from localcloud.ses.account import Account, Template
    from localcloud.ses.params import Params

TEMPLATES_LIMIT = 1000
NAME_LIMIT_CHARS = 100
CONTENT_LIMIT_BYTES = 1024 * 1024
APPROVED_REASON = "approved"
_CONTROL = re.compile(r"[\x00-\x1f\x7f<>]")


class _Content(NamedTuple):
    name: str
    html: str
    text: str


def create_email_template(account: Account, params: Params) -> dict[str, Any]:
    """Store a template for review and answer its TemplateID."""
    params.allow("TemplateName", "TemplateContent")
    content = _parse(params)
    now = account.clock.now()
    database = account.database
    with database.transaction():
        count, last = database.row("SELECT COUNT(*), MAX(template_id) FROM template") or (0, None)
        if count >= TEMPLATES_LIMIT:
            raise ApiError("FailedOperation.ExceedTemplateLimit")
        template_id = (last or 100_000) + 1
        sql = "INSERT INTO template (template_id, name, status, html, text, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        database.write(sql, (template_id, content.name, TEMPLATE_PENDING, content.html, content.text, now))
        _submit(account, template_id, content, now)
    return {"TemplateID": template_id}


def update_email_template(account: Account, params: Params) -> dict[str, Any]:
    """Replace name and content; the template is unusable until it is reviewed again."""
    params.allow("TemplateID", "TemplateName", "TemplateContent")
    template_id = params.integer("TemplateID")
    content = _parse(params)
    with account.database.transaction():
        _existing(account, template_id)
        account.database.write(
            "UPDATE template SET name = ?, html = ?, text = ?, status = ? WHERE template_id = ?",
            (*content, TEMPLATE_PENDING, template_id),
        )
        _submit(account, template_id, content, account.clock.now())
    return {}


def get_email_template(account: Account, params: Params) -> dict[str, Any]:
    """Answer name, content (base64) and status."""
    params.allow("TemplateID")
    template = _existing(account, params.integer("TemplateID"))
    return {
        "TemplateContent": {"Html": _encode(template.html), "Text": _encode(template.text)},
        "TemplateStatus": template.status,
        "TemplateName": template.name,
    }


def list_email_templates(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of templates, newest first (the order is not documented), and how many there are."""
    params.allow("Limit", "Offset")
    page = parse_page(params)
    found = account.database.row("SELECT COUNT(*) FROM template")
    return {
        "TemplatesMetadata": [
            {
                "CreatedTimestamp": int(template.created_at),
                "TemplateName": template.name,
                "TemplateStatus": template.status,
                "TemplateID": template.template_id,
                "ReviewReason": template.reason,
            }
            for template in account.templates(page.offset, page.limit)
        ],
        "TotalCount": found[0] if found else 0,
    }


def delete_email_template(account: Account, params: Params) -> dict[str, Any]:
    """Delete a template; a task that still wants it fails."""
    params.allow("TemplateID")
    template_id = params.integer("TemplateID")
    _existing(account, template_id)
    account.database.write("DELETE FROM template WHERE template_id = ?", (template_id,))
    return {}


def _parse(params: Params) -> _Content:
    name = params.text("TemplateName")
    if not name.strip():
        raise ApiError("InvalidParameterValue.TemplateNameIsNULL")
    if len(name) > NAME_LIMIT_CHARS or _CONTROL.search(name):
        raise ApiError("InvalidParameterValue.TemplateNameIllegal")
    given = params.structure("TemplateContent")
    if given is None:
        raise ApiError("MissingParameter", "`TemplateContent` is required.")
    given.allow("Html", "Text")
    html, text = _decode(given, "Html"), _decode(given, "Text")
    if not (html.strip() or text.strip()):
        raise ApiError("InvalidParameterValue.TemplateContentIsNULL")
    if len(html.encode()) + len(text.encode()) > CONTENT_LIMIT_BYTES:
        raise ApiError("FailedOperation.TemplateContentToolarge")
    return _Content(name, html, text)


def _submit(account: Account, template_id: int, content: _Content, now: float) -> None:
    """Decide the verdict, and when it falls."""
    mode = account.switches.template_review
    review_at = {"working_day": next_working_day(now), "at_once": now, "never": None}[mode]
    against = reason_against(content.html, content.text)
    verdict = TEMPLATE_REJECTED if against else TEMPLATE_APPROVED
    sql = "UPDATE template SET review_at = ?, verdict = ?, reason = ? WHERE template_id = ?"
    account.database.write(sql, (review_at, verdict, against or APPROVED_REASON, template_id))


def _existing(account: Account, template_id: int) -> Template:
    template = account.template(template_id)
    if template is None:
        raise ApiError("InvalidParameterValue.TemplateNotExist")
    return template


def _decode(params: Params, name: str) -> str:
    try:
        return base64.b64decode(params.text_or(name, ""), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ApiError("InvalidParameterValue.TemplateContentIsWrong") from error


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
