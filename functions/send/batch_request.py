"""``POST /send/batch``: untrusted JSON -> one mail for each recipient, or every problem named by field.

The contract: README, "Many at once". What is common to all is read once, by the same functions as ``POST /send``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send import members
from functions.send.addresses import is_address
from functions.send.given import Given
from functions.send.request import MEMBERS, Mail, read_mail
from functions.send.sizes import check_sizes_of_many
from shared.edge.guard_modes import ON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.problems import Problems

MOST = 100
"""Recipients of one batch: at SES's 20 a second they take five of the function's fifteen seconds."""
_OWN = frozenset({"to", "data", "metadata"})
_NOT_FOR_MANY = {
    "to": "name everyone in recipients",
    "cc": "each mail of a batch goes to one person",
    "bcc": "each mail of a batch goes to one person",
    "message_id": "cannot be that of many mails; with an Idempotency-Key each gets one of mailtrail's",
}


class Recipient(NamedTuple):
    """One person, and what is theirs alone: template variables and metadata as they were given."""

    to: str
    data: dict[str, Any]
    metadata: dict[str, str]


class Batch(NamedTuple):
    """What passed every check: the mail that is common to all (to nobody), its JSON, and who gets it."""

    mail: Mail
    body: dict[str, Any]
    recipients: list[Recipient]

    def mail_to(self, one: Recipient) -> Mail:
        """Return the mail that ``one`` gets; what is theirs goes before what is common. Made when it is sent."""
        data = {**self.mail.template_data, **{name: str(value) for name, value in one.data.items()}}
        metadata = {**self.mail.metadata, **one.metadata}
        return self.mail._replace(to=[one.to], template_data=data, metadata=metadata)

    def body_to(self, one: Recipient) -> dict[str, Any]:
        """Return the body of ``POST /send`` that asks for the same mail: what its key is claimed for.

        The address is in lower case, as in the key: a repeat that spells it otherwise asks for nothing else.
        """
        body = {**self.body, "to": [one.to.lower()], "metadata": {**(self.body.get("metadata") or {}), **one.metadata}}
        template = self.body.get("template")
        if template:
            body["template"] = {**template, "data": {**(template.get("data") or {}), **one.data}}
        return body


def parse_batch(
    body: Mapping[str, Any],
    languages: Mapping[str, str],
    problems: Problems,
    *,
    body_bytes: int = 0,
    sizes: str = ON,
) -> Batch:
    """Return the batch that ``body`` asks for. ``languages problems body_bytes sizes``: as in ``parse_mail``.

    Raises Problem (400, or 413 for size alone) that names every problem at once, of everybody.
    """
    problems.add_unknown("", set(body) - MEMBERS - {"recipients"})
    for name, why in _NOT_FOR_MANY.items():
        if body.get(name) not in (None, "", []):
            problems.add(name, why)
    common = {name: value for name, value in body.items() if name not in _NOT_FOR_MANY and name != "recipients"}
    nobody: dict[str, list[str]] = {"to": [], "cc": [], "bcc": []}
    mail = read_mail(Given(common, problems), languages, nobody, body_bytes=body_bytes, sizes=sizes)
    # What is wrong with the common metadata is said once, and not again for each who would get it.
    recipients = _recipients(body.get("recipients"), mail._replace(metadata={}) if problems else mail, problems)
    data = [one.data if isinstance(one.data, dict) else {} for one in recipients]
    warnings = check_sizes_of_many(mail, data, languages, body_bytes, sizes, problems)
    problems.check()
    return Batch(mail._replace(warnings=(*mail.warnings, *warnings)), common, recipients)


def _recipients(value: Any, mail: Mail, problems: Problems) -> list[Recipient]:
    if not isinstance(value, list) or not value:
        problems.add("recipients", f"must be a list of 1 to {MOST} objects with to, data and metadata")
        return []
    if len(value) > MOST:
        problems.add("recipients", f"at most {MOST}, got {len(value)}")
    seen: dict[str, str] = {}
    return [_recipient(item, f"recipients[{index}]", mail, problems, seen) for index, item in enumerate(value[:MOST])]


def _recipient(item: Any, field: str, mail: Mail, problems: Problems, seen: dict[str, str]) -> Recipient:
    if not isinstance(item, dict):
        problems.add(field, "must be an object with to, data and metadata")
        return Recipient("", {}, {})
    own = Given(item, problems.within(field))
    own.problems.add_unknown("", set(item) - _OWN)
    to = own.required_text("to") or ""
    if to and not is_address(to):
        own.problems.add("to", "is not an address")
    elif to and (first := seen.setdefault(to.lower(), f"{field}.to")) != f"{field}.to":
        own.problems.add("to", f"repeats {first}")
    data = item.get("data") or {}
    members.variables(own, "data", item.get("data"))
    if data and mail.template_id is None:
        own.problems.add("data", "is for a template, and there is none")
    return Recipient(to, data, _metadata(own, mail))


def _metadata(own: Given, mail: Mail) -> dict[str, str]:
    """Return what is theirs; the limit is that of the whole, as it comes back in their events."""
    value = own.body.get("metadata")
    members.metadata(
        Given({"metadata": {**mail.metadata, **value} if isinstance(value, dict) else value}, own.problems)
    )
    return value if isinstance(value, dict) else {}
