"""Unsubscribe links by sender address: Create/Update/Delete/ListAddressUnsubscribeConfig.

Source: models.py of tencentcloud-sdk-python-ses 3.1.135. Which language a number means differs between the sites and
even within the International one, so numbers are kept as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.errors import ApiError
from localcloud.ses.paging import LIMIT_ROWS
from localcloud.ses.send import UNSUBSCRIBE

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params


def create_address_unsubscribe_config(account: Account, params: Params) -> dict[str, Any]:
    """Set the link of a sender address that has none yet."""
    address, config, status = _parse(account, params)
    if _is_there(account, address):
        raise ApiError("InvalidParameterValue.RepeatCreation")
    account.database.write("INSERT INTO unsubscribe_config VALUES (?, ?, ?)", (address, config, status))
    return {}


def update_address_unsubscribe_config(account: Account, params: Params) -> dict[str, Any]:
    """Change the link of a sender address that has one."""
    address, config, status = _parse(account, params)
    sql = "UPDATE unsubscribe_config SET config = ?, status = ? WHERE address = ?"
    if not account.database.change(sql, (config, status, address)):
        raise ApiError("ResourceNotFound")
    return {}


def delete_address_unsubscribe_config(account: Account, params: Params) -> dict[str, Any]:
    """Forget the link of a sender address."""
    params.allow("Address")
    address = params.text("Address").lower()
    if not account.database.change("DELETE FROM unsubscribe_config WHERE address = ?", (address,)):
        raise ApiError("ResourceNotFound")
    return {}


def list_address_unsubscribe_config(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page; Limit is a text here, in the vendor's SDK too."""
    params.allow("Offset", "Limit")
    offset, limit = params.integer_or("Offset", 0), _parse_limit(params)
    if offset < 0:
        raise ApiError("InvalidParameterValue", "`Offset` must be 0 or more.")
    found = account.database.row("SELECT COUNT(*) FROM unsubscribe_config")
    sql = "SELECT address, config, status FROM unsubscribe_config ORDER BY address LIMIT ? OFFSET ?"
    rows = account.database.rows(sql, (limit, offset))
    return {
        "AddressUnsubscribeConfigList": [
            {"Address": address, "UnsubscribeConfig": config, "Status": status} for address, config, status in rows
        ],
        "Total": found[0] if found else 0,
    }


def _parse(account: Account, params: Params) -> tuple[str, str, int]:
    params.allow("Address", "UnsubscribeConfig", "Status")
    address = params.text("Address").lower()
    if not account.has_sender(address):
        raise ApiError("InvalidParameterValue.NoSuchSender")
    config = params.text("UnsubscribeConfig")
    if config not in UNSUBSCRIBE[account.site]:
        raise ApiError("InvalidParameterValue", "`UnsubscribeConfig` is not an allowed value.")
    return address, config, params.one_of("Status", (0, 1))


def _parse_limit(params: Params) -> int:
    text = params.text_or("Limit", str(LIMIT_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LIMIT_ROWS):
        raise ApiError("FailedOperation.InvalidLimit")
    return int(text)


def _is_there(account: Account, address: str) -> bool:
    return bool(account.database.row("SELECT 1 FROM unsubscribe_config WHERE address = ?", (address,)))
