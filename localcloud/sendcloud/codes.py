"""SendCloud's return codes and its answer envelope.

Source: https://www.sendcloud.net/doc/en_US/email_v2/ (table of codes: sendcloud_docs, sources/email_v2/index.md).
Whether failures come with another HTTP status is not documented; the vendor's SDK expects 200.
"""

from __future__ import annotations

import json
from typing import Any

from localcloud.exchange import Response

OK = 200
SERVER_ERROR = 501
AUTH_FAILED = 40005
THROTTLED = 50000

MESSAGES = {
    OK: "请求成功",
    SERVER_ERROR: "服务器异常",
    40001: "start不能为空",
    40002: "start非法",
    40003: "limit不能为空",
    40004: "limit非法",
    AUTH_FAILED: "认证失败",
    40006: "days格式非法,必须是大于0的正整数",
    40007: "startDate格式错误,应该类似'2013-03-19'",
    40008: "endDate格式错误,应该类似'2013-03-19'",
    40011: "email不能为空",
    40012: "email格式非法",
    40015: "标签ID格式错误",
    40016: "apiUserList格式非法",
    40201: "模版调用名称invokeName不能为空",
    40801: "发信人地址from不能为空",
    40802: "发信人地址from格式错误",
    40805: "收件人地址不能为空",
    40806: "收件人地址数组中, 存在非法地址",
    40807: "收件人地址的数目不能超过100",
    40808: "邮件主题subject不能为空",
    40809: "邮件主题subject格式错误",
    40811: "回复地址replyto格式错误",
    40812: "xsmtpapi不能为空",
    40813: "xsmtpapi格式错误",
    40815: "xsmtpapi必须含有to字段",
    40816: "xsmtpapi中to字段的解析值不能为空",
    40817: "xsmtpapi解析错误",
    40819: "附件大小不能超过10485760字节",
    40820: "此用户没有使用地址列表的权限",
    40823: "邮件模板不存在",
    40824: "模板未通过审核",
    40827: "xsmtpapi中to数组长度不能超过100",
    40853: "cc地址格式错误",
    40854: "CC地址的数目不能超过100",
    40856: "bcc地址格式错误",
    40857: "BCC地址的数目不能超过100",
    40859: "respEmailId格式错误",
    40869: "headers格式错误",
    40870: "html和plain不能同时为空",
    THROTTLED: "interface frequency is limited",
}


class SendCloudError(Exception):
    """SendCloud refuses with ``code``; ``detail`` follows the code's own text."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def build_answer(code: int, info: dict[str, Any] | None = None, *, detail: str = "", status: int = 200) -> Response:
    """Build the answer; ``result`` is true for 200 alone, and throttling spells its member ``statuscode``."""
    message = MESSAGES.get(code, "服务器异常") + (f" ({detail})" if detail else "")
    member = "statuscode" if code == THROTTLED else "statusCode"
    content = {"result": code == OK, member: code, "message": message, "info": info or {}}
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(status, {"Content-Type": "application/json;charset=UTF-8"}, body)
