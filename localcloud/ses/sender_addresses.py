"""Sender addresses: Create/List/DeleteEmailAddress and UpdateEmailSmtpPassWord.

Sources: https://www.tencentcloud.com/document/product/1084/40185 (ten of a domain), errorcodes.py of
tencentcloud-sdk-python-ses (rules of the password).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from localcloud.ses.addresses import domain_of, is_address
from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

SENDERS_LIMIT = 10
ADDRESS_LIMIT_CHARS = 128
NAME_LIMIT_CHARS = 100
PASSWORD_CHARS = range(10, 21)
_NAME = re.compile(r"[^:<>\x00-\x1f\x7f]*")
_NEEDED = (re.compile("[0-9]"), re.compile("[a-z]"), re.compile("[A-Z]"))


def create_email_address(account: Account, params: Params) -> dict[str, Any]:
    """Add a sender address to a verified domain."""
    params.allow("EmailAddress", "EmailSenderName")
    address = params.text("EmailAddress").lower()
    if not is_address(address) or len(address) > ADDRESS_LIMIT_CHARS:
        raise ApiError("InvalidParameterValue.IllegalEmailAddress")
    name = params.text_or("EmailSenderName", "")
    if len(name) > NAME_LIMIT_CHARS or not _NAME.fullmatch(name):
        raise ApiError("InvalidParameterValue.IllegalSenderName")
    domain = domain_of(address)
    with account.database.transaction():
        _check_domain(account, domain)
        if account.has_sender(address):
            raise ApiError("InvalidParameterValue.RepeatEmailAddress")
        found = account.database.row("SELECT COUNT(*) FROM sender_address WHERE domain = ?", (domain,))
        if found and found[0] >= SENDERS_LIMIT:
            raise ApiError("OperationDenied.ExceedSenderLimit")
        sql = "INSERT INTO sender_address (address, domain, name, created_at) VALUES (?, ?, ?, ?)"
        account.database.write(sql, (address, domain, name, account.clock.now()))
    return {}


def list_email_address(account: Account, params: Params) -> dict[str, Any]:
    """Answer every sender address."""
    params.allow()
    sql = "SELECT address, name, created_at, password FROM sender_address ORDER BY created_at, address"
    return {
        "EmailSenders": [
            {
                "EmailAddress": address,
                "EmailSenderName": name,
                "CreatedTimestamp": int(created_at),
                "SmtpPwdType": int(bool(password)),
            }
            for address, name, created_at, password in account.database.rows(sql)
        ]
    }


def delete_email_address(account: Account, params: Params) -> dict[str, Any]:
    """Delete a sender address."""
    params.allow("EmailAddress")
    address = _existing(account, params, "EmailAddress")
    account.database.write("DELETE FROM sender_address WHERE address = ?", (address,))
    account.database.write("DELETE FROM unsubscribe_config WHERE address = ?", (address,))
    return {}


def update_email_smtp_password(account: Account, params: Params) -> dict[str, Any]:
    """Set the SMTP password of a sender address; only a digest is kept."""
    params.allow("Password", "EmailAddress")
    password = params.text("Password")
    address = _existing(account, params, "EmailAddress")
    if len(password) not in PASSWORD_CHARS or any(len(set(kind.findall(password))) < 2 for kind in _NEEDED):
        raise ApiError("InvalidParameterValue.InvalidSmtpPassWord")
    digest = hashlib.sha256(f"{address}:{password}".encode()).hexdigest()
    if account.database.row("SELECT 1 FROM sender_address WHERE address = ? AND password = ?", (address, digest)):
        raise ApiError("OperationDenied.RepeatPassWord")
    account.database.write("UPDATE sender_address SET password = ? WHERE address = ?", (digest, address))
    return {}


def _check_domain(account: Account, domain: str) -> None:
    if not account.database.row("SELECT 1 FROM identity WHERE domain = ?", (domain,)):
        raise ApiError("InvalidParameterValue.NotExistDomain")
    if not account.is_verified(domain):
        raise ApiError("OperationDenied.DomainNotVerified")


def _existing(account: Account, params: Params, name: str) -> str:
    address = params.text(name).lower()
    if not account.has_sender(address):
        raise ApiError("InvalidParameterValue.NoSuchSender")
    return address
