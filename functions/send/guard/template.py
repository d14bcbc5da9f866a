"""Whether the template may be used, and has all that it wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.send.guard.facts import PASS_S, REFUSE_S, TEMPLATE
from functions.send.guard.findings import MOST_NAMED_CHARS, Finding

if TYPE_CHECKING:
    from collections.abc import Container

    from functions.send.guard.facts import Fact, Facts
    from functions.send.office import Office

CHECK = "template"
_STATUS = {1: "is waiting for its review", 2: "was rejected by its review"}
"""TemplateStatus: https://www.tencentcloud.com/document/api/1084/39400."""


def check_template(office: Office, facts: Facts, template_id: int, given: Container[str] | None) -> list[Finding]:
    """Return what is against using a template. ``given``: the variables that it gets; None: they are not known.

    What is not known is not judged: then the template itself is all that is looked at.
    """
    found: list[Finding] = []
    for within_s in (PASS_S, REFUSE_S):
        fact = facts.get(office, TEMPLATE, str(template_id), within_s)
        found = [] if fact is None else _judge(fact, given)
        if not found:
            break
    return found


def _judge(fact: Fact, given: Container[str] | None) -> list[Finding]:
    status = fact.told.get("status")
    if status is None:
        return [Finding(CHECK, "template_unusable", "template.id", "the account has no template of this id")]
    found = []
    if status != 0:
        words = _STATUS.get(status, f"has the status {status}, which is not approved")
        found.append(Finding(CHECK, "template_unusable", "template.id", f"the template {words}"))
    missing = [] if given is None else [name for name in fact.told.get("variables", ()) if name not in given]
    fields = [f"template.data.{name[:MOST_NAMED_CHARS]}" for name in missing]
    return found + [
        Finding(CHECK, "template_data_invalid", field, "the template wants this variable") for field in fields
    ]
