"""SendCloud's words: statuses as numbers and as it prints them, sub-statuses, event names.

Source: https://www.sendcloud.net/doc/en_US/email_v2/deliver_response/ and .../webhook/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.simulator import outcome_of, plan_for

if TYPE_CHECKING:
    from localcloud.simulator import Step

REQUESTED, DELIVERED, INVALID, SOFT_BOUNCE = 18, 1, 4, 5
STATUS_NAMES = {DELIVERED: "送达", INVALID: "无效邮件", SOFT_BOUNCE: "软退信", REQUESTED: "请求中"}
SUB_STATUS_NAMES = {
    401: "SendCloud黑名单中",
    402: "取消订阅",
    403: "服务器不可达",
    404: "地址格式错误",
    405: "IP、域名被拒",
    406: "地址不存在",
    407: "垃圾邮件",
    408: "发件人/收件人被拒",
    409: "其他",
    503: "服务不可达",
    505: "IP、域名被拒",
    506: "邮箱地址不存在",
    507: "反垃圾邮件被拒",
    508: "发件人/收件人被拒",
    509: "其他",
}
EVENT_STATUS = {"deliver": DELIVERED, "invalid": INVALID, "soft_bounce": SOFT_BOUNCE}
"""Events that settle the row; the others leave it as it is."""

_SUB_STATUS = {
    "hard-bounce": 406,
    "unknown-user": 406,
    "soft-bounce": 509,
    "deferred": 503,
    "dropped": 407,
    "blacklist": 401,
}
_EVENTS = {
    "delivered": "deliver",
    "dropped": "invalid",
    "open": "open",
    "click": "click",
    "spamreport": "report_spam",
    "unsubscribe": "unsubscribe",
}
_LOGS = {
    "deliver": "successfully delivered",
    "open": "open email",
    "click": "click email",
    "unsubscribe": "unsubscribe email",
    "report_spam": "report spam",
}


class Happening(NamedTuple):
    """One SendCloud event: ``after_s`` seconds after the request; ``sub_status`` None where there is none."""

    after_s: float
    event: str
    sub_status: int | None
    log: str
    url: str
    useragent: str


def happenings_for(address: str) -> list[Happening]:
    """Translate the simulator's plan. A deferral is no event here: the row stays requested until it is over."""
    sub_status = _SUB_STATUS.get(outcome_of(address))
    return [_happening(step, sub_status) for step in plan_for(address).steps if step.event != "deferred"]


def _happening(step: Step, sub_status: int | None) -> Happening:
    bounce = "soft_bounce" if step.bounce_type == "soft_bounce" else "invalid"
    event = bounce if step.event == "bounce" else _EVENTS[step.event]
    is_failure = event in ("invalid", "soft_bounce")
    log = step.reason if is_failure else _LOGS[event]
    return Happening(step.after_s, event, sub_status if is_failure else None, log, step.link, step.useragent)
