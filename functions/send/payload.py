"""A mail -> the parameters of SendEmail (https://www.tencentcloud.com/document/api/1084/39387, seed 002)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.request import Mail

_to_text = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps with an option makes an encoder at each call


def build_payload(
    mail: Mail, languages: Mapping[str, str], our_headers: Mapping[str, str], our_message_id: str = ""
) -> dict[str, Any]:
    """Return SendEmail's parameters; what the caller left out is left out. What is ours: see ``extras.py``."""
    headers = {**mail.headers, **our_headers}
    payload: dict[str, Any] = {
        "FromEmailAddress": mail.sender,
        "Subject": mail.subject,
        "Destination": mail.to,
        "Cc": mail.cc,
        "Bcc": mail.bcc,
        "ReplyToAddresses": mail.reply_to,
        "Template": _template(mail),
        "Simple": _simple(mail),
        "Attachments": [{"FileName": a.filename, "Content": a.content} for a in mail.attachments],
        "Unsubscribe": languages[mail.unsubscribe] if mail.unsubscribe else None,
        "TriggerType": 1 if mail.transactional else None,
        "SmtpMessageId": mail.message_id or our_message_id or None,
        # The format is not documented; a JSON object is what callers in the wild send.
        "SmtpHeaders": _to_text(headers) if headers else None,
        "HeaderFrom": mail.header_from,
    }
    return {name: value for name, value in payload.items() if value not in (None, [])}


def _template(mail: Mail) -> dict[str, Any] | None:
    if mail.template_id is None:
        return None
    return {"TemplateID": mail.template_id, "TemplateData": _to_text(mail.template_data)}


def _simple(mail: Mail) -> dict[str, str] | None:
    parts = {"Html": mail.html, "Text": mail.text}
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in parts.items() if text is not None}
    return encoded or None
