"""Sending domains: Create/Get/List/Update/DeleteEmailIdentity.

Sources: models.py of tencentcloud-sdk-python-ses 3.1.135; limits:
https://www.tencentcloud.com/document/product/1084/40185. UpdateEmailIdentity looks into DNS: the switch ``dns`` says
what it finds there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from localcloud.ses.days import day_number
from localcloud.ses.dns import build_attributes
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page
from localcloud.ses.reputation import MAX_LEVEL, QUOTAS, standing_of

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

DOMAINS_LIMIT = 10
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]")


def create_email_identity(account: Account, params: Params) -> dict[str, Any]:
    """Add an unverified domain; answer the DNS records that it needs."""
    params.allow("EmailIdentity", "DKIMOption", "TagList")
    domain = params.text("EmailIdentity").lower()
    if not _DOMAIN.fullmatch(domain):
        raise ApiError("InvalidParameterValue.InvalidEmailIdentity")
    option = params.one_of("DKIMOption", (0, 1, 2), default=0)
    database = account.database
    with database.transaction():
        if database.row("SELECT 1 FROM identity WHERE domain = ?", (domain,)):
            raise ApiError("InvalidParameterValue.RepeatCreation")
        found = database.row("SELECT COUNT(*) FROM identity")
        if found and found[0] >= DOMAINS_LIMIT:
            raise ApiError("OperationDenied.ExceedDomainLimit")
        sql = "INSERT INTO identity (domain, is_verified, created_at, dkim_option, tags) VALUES (?, 0, ?, ?, ?)"
        database.write(sql, (domain, account.clock.now(), option, json.dumps(_parse_tags(params))))
    answer = _describe(account, domain)
    answer.pop("TagList")
    return answer


def get_email_identity(account: Account, params: Params) -> dict[str, Any]:
    """Answer the records of a domain, expected and found."""
    params.allow("EmailIdentity")
    return _describe(account, params.text("EmailIdentity").lower())


def update_email_identity(account: Account, params: Params) -> dict[str, Any]:
    """Look into DNS and verify the domain, or not; a changed DKIMOption asks for other keys."""
    params.allow("EmailIdentity", "NewAPI", "DKIMOption")
    domain = params.text("EmailIdentity").lower()
    _describe(account, domain)
    if params.has("DKIMOption"):
        option = params.one_of("DKIMOption", (0, 1, 2))
        account.database.write("UPDATE identity SET dkim_option = ? WHERE domain = ?", (option, domain))
    is_found = account.switches.dns == "published"
    account.database.write("UPDATE identity SET is_verified = ? WHERE domain = ?", (int(is_found), domain))
    answer = _describe(account, domain)
    answer.pop("TagList")
    return answer


def list_email_identities(account: Account, params: Params) -> dict[str, Any]:
    """Answer every domain, or a page, with its reputation level and daily quota; TagList asks for all of its tags."""
    params.allow("TagList", "Limit", "Offset")
    wanted, page = _parse_tags(params), parse_page(params, default=100)
    sql = "SELECT domain, is_verified, tags, dkim_option FROM identity ORDER BY created_at, domain"
    rows = [row for row in account.database.rows(sql) if all(tag in json.loads(row[2]) for tag in wanted)]
    return {
        "EmailIdentities": [_build_row(account, row) for row in rows[page.offset : page.offset + page.limit]],
        "MaxReputationLevel": MAX_LEVEL,
        "MaxDailyQuota": QUOTAS[-1],
        "Total": len(rows),
    }


def delete_email_identity(account: Account, params: Params) -> dict[str, Any]:
    """Delete a domain that has no sender addresses any more."""
    params.allow("EmailIdentity")
    domain = params.text("EmailIdentity").lower()
    _describe(account, domain)
    if account.database.row("SELECT 1 FROM sender_address WHERE domain = ?", (domain,)):
        raise ApiError("OperationDenied.SenderWithDomainIsNotEmpty")
    account.database.write("DELETE FROM identity WHERE domain = ?", (domain,))
    return {}


def _describe(account: Account, domain: str) -> dict[str, Any]:
    sql = "SELECT is_verified, dkim_option, tags FROM identity WHERE domain = ?"
    found = account.database.row(sql, (domain,))
    if found is None:
        raise ApiError("InvalidParameterValue.NotExistDomain")
    is_verified, option, tags = found
    return {
        "IdentityType": "DOMAIN",
        "VerifiedForSendingStatus": bool(is_verified),
        "Attributes": build_attributes(domain, option, is_published=bool(is_verified)),
        "DKIMOption": option,
        "TagList": json.loads(tags),
    }


def _build_row(account: Account, row: tuple[Any, ...]) -> dict[str, Any]:
    domain, is_verified, tags, option = row
    standing = standing_of(account, domain, day_number(account.clock.now()))
    return {
        "IdentityName": domain,
        "IdentityType": "DOMAIN",
        "SendingEnabled": bool(is_verified),
        "CurrentReputationLevel": standing.level,
        "DailyQuota": standing.quota,
        "SendIp": [],
        "TagList": json.loads(tags),
        "DKIMOption": option,
    }


def _parse_tags(params: Params) -> list[dict[str, str]]:
    tags = params.structures("TagList")
    for tag in tags:
        tag.allow("TagKey", "TagValue")
    return [{"TagKey": tag.text("TagKey"), "TagValue": tag.text("TagValue")} for tag in tags]
