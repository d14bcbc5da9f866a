"""mail/send and mail/sendtemplate: https://www.sendcloud.net/doc/en_US/email_v2/send_email/."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.sendcloud.codes import SendCloudError
from localcloud.sendcloud.store import INSERT_EMAIL, INSERT_STEP
from localcloud.sendcloud.vocabulary import REQUESTED, happenings_for
from localcloud.ses.addresses import is_address

if TYPE_CHECKING:
    from localcloud.database import Database
    from localcloud.sendcloud.form import Form

RECIPIENT_LIMIT = 100
ATTACHMENT_LIMIT_BYTES = 10_485_760
CUSTOM_PREFIX = "sc-custom-"
"""Headers with this prefix come back with every event, in ``userHeaders``; letter case aside."""


TEMPLATES = {"local_code": True, "local_pending": False}
"""Name by which a template is invoked → whether it is approved. There is no template API here."""


class Submission(NamedTuple):
    """A checked mail/send or mail/sendtemplate. ``user_headers``: the custom headers that webhooks echo."""

    api_user: str
    recipients: list[str]
    label_id: str
    user_headers: dict[str, str]
    wants_email_ids: bool


def parse_submission(form: Form) -> Submission:
    """Check the parameters of mail/send. Raises SendCloudError."""
    _check_from(form)
    recipients = _recipients(form)
    if not (form.get("subject") or "").strip():
        raise SendCloudError(40808)
    if not form.get("html") and not form.get("plain"):
        raise SendCloudError(40870)
    return build_submission(form, recipients)


def parse_template_submission(form: Form) -> Submission:
    """Check mail/sendtemplate: an approved template, recipients in xsmtpapi. Raises SendCloudError."""
    _check_from(form)
    if _flag(form, "useAddressList", default=False):
        raise SendCloudError(40820)
    name = form.get("templateInvokeName") or ""
    if not name:
        raise SendCloudError(40201)
    if name not in TEMPLATES:
        raise SendCloudError(40823)
    if not TEMPLATES[name]:
        raise SendCloudError(40824)
    text = form.get("xsmtpapi")
    if not text:
        raise SendCloudError(40812)
    _check_substitutions(_json(text, 40813))
    return build_submission(form, _xsmtpapi_recipients(text))


def build_submission(form: Form, recipients: list[str]) -> Submission:
    """Check what every mail may have: reply addresses, attachments, headers. Raises SendCloudError."""
    reply_to = form.items("replyTo")
    if len(reply_to) > 3 or not all(map(is_address, reply_to)):
        raise SendCloudError(40811)
    if form.file_bytes > ATTACHMENT_LIMIT_BYTES:
        raise SendCloudError(40819)
    headers = {name: value for name, value in _headers(form).items() if name.lower().startswith(CUSTOM_PREFIX)}
    wants_email_ids = _flag(form, "respEmailId", default=True)
    return Submission(form.get("apiUser") or "", recipients, form.get("labelId") or "0", headers, wants_email_ids)


def accept(database: Database, submission: Submission, at: float) -> dict[str, Any]:
    """Write the mails down as requested at ``at`` (simulated epoch seconds); return ``info``."""
    message_id = new_message_id(at)
    email_ids = [f"{message_id}{index}${address}" for index, address in enumerate(submission.recipients)]
    headers = json.dumps(submission.user_headers)
    with database.transaction():
        for email_id, address in zip(email_ids, submission.recipients, strict=True):
            origin = (email_id, message_id, submission.api_user, address, submission.label_id)
            row_id = database.write(INSERT_EMAIL, (*origin, REQUESTED, None, at, at, "", headers))
            if email_id == email_ids[0]:
                database.write(INSERT_STEP, (row_id, at, "request", None, "successfully request", "", ""))
            steps = ((row_id, at + happening.after_s, *happening[1:]) for happening in happenings_for(address))
            database.write_many(INSERT_STEP, steps)
    return {"emailIdList": email_ids} if submission.wants_email_ids else {}


def new_message_id(at: float, suffix: str = "") -> str:
    """Make a messageId in the vendor's form: milliseconds, three numbers, the host that took it in."""
    numbers = suffix or "_".join(str(secrets.randbelow(90_000) + 10_000) for _ in range(3))
    return f"{int(at * 1000)}_{numbers}.sc-127_0_0_1-inbound"


def _check_from(form: Form) -> None:
    text = (form.get("from") or "").strip()
    if not text:
        raise SendCloudError(40801)
    if not is_address(text.partition("<")[2].rstrip(">") or text):
        raise SendCloudError(40802)


def _recipients(form: Form) -> list[str]:
    if _flag(form, "useAddressList", default=False):
        raise SendCloudError(40820)
    if form.get("xsmtpapi"):
        # Its `to` sends to each one alone; to, cc and bcc are then ignored.
        return _xsmtpapi_recipients(form.get("xsmtpapi") or "")
    to = form.items("to")
    if not to:
        raise SendCloudError(40805)
    cc, bcc = form.items("cc"), form.items("bcc")
    _check_addresses(to, 40806, 40807)
    _check_addresses(cc, 40853, 40854)
    _check_addresses(bcc, 40856, 40857)
    return list(dict.fromkeys([*to, *cc, *bcc]))


def _xsmtpapi_recipients(text: str) -> list[str]:
    value = _json(text, 40813)
    to = value.get("to")
    if to is None:
        raise SendCloudError(40815)
    if not isinstance(to, list) or not to:
        raise SendCloudError(40816)
    if not all(isinstance(address, str) for address in to):
        raise SendCloudError(40806)
    _check_addresses(to, 40806, 40827)
    return list(dict.fromkeys(to))


def _check_substitutions(value: dict[str, Any]) -> None:
    """Check ``sub``: variable → as many values as there are recipients."""
    substitutions, to = value.get("sub", {}), value.get("to")
    if not isinstance(substitutions, dict):
        raise SendCloudError(40817)
    for values in substitutions.values():
        if not isinstance(values, list) or (isinstance(to, list) and len(values) != len(to)):
            raise SendCloudError(40817)


def _check_addresses(addresses: list[str], malformed: int, too_many: int) -> None:
    if len(addresses) > RECIPIENT_LIMIT:
        raise SendCloudError(too_many)
    if not all(map(is_address, addresses)):
        raise SendCloudError(malformed)


def _headers(form: Form) -> dict[str, str]:
    headers = _json(form.get("headers") or "{}", 40869)
    if not all(isinstance(value, str) for value in headers.values()):
        raise SendCloudError(40869)
    return headers


def _json(text: str, code: int) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SendCloudError(code) from error
    if not isinstance(value, dict):
        raise SendCloudError(code)
    return value


def _flag(form: Form, name: str, *, default: bool) -> bool:
    text = form.get(name)
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise SendCloudError(40859 if name == "respEmailId" else 40820)
    return text.lower() == "true"
