"""Which handler answers which action. A further action is a handler in a module of its theme and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.ses.account import Account
from localcloud.ses.params import Params
from localcloud.ses.send import send_email
from localcloud.ses.status import get_send_email_status
from localcloud.ses.tasks import batch_send_email, list_send_tasks

Handler = Callable[[Account, Params], dict[str, Any]]

ACTIONS: dict[str, Handler] = {
    "BatchSendEmail": batch_send_email,
    "GetSendEmailStatus": get_send_email_status,
    "ListSendTasks": list_send_tasks,
    "SendEmail": send_email,
}
