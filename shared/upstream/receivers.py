"""Lists of recipients at SES, and batch tasks to them: verbs over SesClient, each one signed POST that nobody repeats.

20 requests a second for each action. No action is idempotent but by a list's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.upstream.envelope import read_rows, read_total
from shared.upstream.errors import NOT_JSON, raise_for
from shared.upstream.ses import PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.upstream.ses import SesClient

UPLOADED = 3
"""``ReceiversStatus`` of a list that can be sent to; 1: nothing uploaded yet, 2: uploading."""


class ReceiverList(NamedTuple):
    """One list of recipients as ListReceivers tells it. ``addresses``: in it, the invalid ones among them."""

    receiver_id: int
    name: str
    status: int
    addresses: int
    invalid: int


class TaskAccepted(NamedTuple):
    """What SES says of a batch task it took."""

    task_id: str
    request_id: str


def create_receiver(ses: SesClient, name: str, description: str) -> int:
    """Make an empty list and return its id; SES refuses a name that is taken (RepeatReceiverName).

    Source: https://www.tencentcloud.com/document/api/1084/44868.
    """
    receiver_id = read_total(ses.call("CreateReceiver", {"ReceiversName": name, "Desc": description}), "ReceiverId")
    if receiver_id < 1:
        raise_for(NOT_JSON, code="no_receiver_id")
    return receiver_id


def add_receivers(ses: SesClient, receiver_id: int, people: Sequence[tuple[str, str]]) -> None:
    """Upload recipients: address and TemplateData, which is empty for all of a call or for none.

    20 000 a call at most, 50 000 a list, 800 bytes of TemplateData each. SES uploads after it has answered, and keeps
    an address that is given twice. Source: https://www.tencentcloud.com/document/api/1084/44867.
    """
    if any(data for _, data in people):
        datas = [{"Email": email, "TemplateData": data} for email, data in people]
        ses.call("CreateReceiverDetailWithData", {"ReceiverId": receiver_id, "Datas": datas})
    else:
        ses.call("CreateReceiverDetail", {"ReceiverId": receiver_id, "Emails": [email for email, _ in people]})


def find_receiver(ses: SesClient, name: str) -> ReceiverList | None:
    """Return the list of exactly this name; None when SES does not list it.

    Source: https://www.tencentcloud.com/document/api/1084/44866.
    """
    response = ses.call("ListReceivers", {"Offset": 0, "Limit": PAGE_ROWS, "KeyWord": name})
    for row in read_rows(response, "Data"):
        if row.get("ReceiversName") == name:
            members = ("ReceiverId", "ReceiversStatus", "Count", "InvalidCount")
            receiver_id, status, addresses, invalid = (read_total(row, member) for member in members)
            return ReceiverList(receiver_id, name, status, addresses, invalid)
    return None


def delete_receiver(ses: SesClient, receiver_id: int) -> None:
    """Delete a list with its addresses."""
    ses.call("DeleteReceiver", {"ReceiverId": receiver_id})


def batch_send_email(ses: SesClient, payload: Mapping[str, Any]) -> TaskAccepted:
    """Make a batch task. ``payload``: the parameters of BatchSendEmail as the vendor names them.

    There is no idempotency at SES: after UpstreamUncertain a second call may mail the whole list a second time.
    Source: https://www.tencentcloud.com/document/api/1084/43052.
    """
    response = ses.call("BatchSendEmail", payload)
    task_id, request_id = (str(response.get(name) or "") for name in ("TaskId", "RequestId"))
    if not task_id:
        raise_for(NOT_JSON, code="no_task_id", request_id=request_id)
    return TaskAccepted(task_id, request_id)
