"""The environment and context in which SCF runs a function, pointing at our own ports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud import defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.gateway.project import Function

UIN = "100000000001"
"""Account number of the local account; like the app id it means nothing elsewhere."""
LOOPBACK = "127.0.0.1"


class Ports(NamedTuple):
    """The four consecutive ports."""

    gateway: int
    ses: int
    cos: int
    sendcloud: int


def account_environment() -> dict[str, str]:
    """Build what a function reads of its account and settings, wherever the services are."""
    hours, minutes = divmod(defaults.UTC_OFFSET_S // 60, 60)
    return {
        "TENCENTCLOUD_SECRETID": defaults.SECRET_ID,
        "TENCENTCLOUD_SECRETKEY": defaults.SECRET_KEY,
        "TENCENTCLOUD_REGION": defaults.REGION,
        "TENCENTCLOUD_APPID": defaults.APP_ID,
        "TENCENTCLOUD_UIN": UIN,
        "MAILTRAIL_BUCKET": defaults.BUCKET,
        "MAILTRAIL_REGION": defaults.REGION,
        "MAILTRAIL_UTC_OFFSET": f"{hours:+03d}:{minutes:02d}",
        "SES_SITE": defaults.SES_SITE,
        "SES_REGION": defaults.REGION,
        "SEND_KEYS": defaults.SEND_KEY,
        "WEBHOOK_SECRETS": defaults.WEBHOOK_SECRET,
        "TOKEN_KEY": defaults.TOKEN_KEY,
        "SENDCLOUD_API_USER": defaults.SENDCLOUD_USER,
        "SENDCLOUD_API_KEY": defaults.SENDCLOUD_KEY,
        "SENDCLOUD_APP_KEY": defaults.SENDCLOUD_APP_KEY,
    }


def endpoint_environment(ports: Ports) -> dict[str, str]:
    """Where the services are. A proxy of the machine must not come between a function and its loopback ports."""
    return {
        "SES_ENDPOINT": f"http://{LOOPBACK}:{ports.ses}",
        "COS_ENDPOINT": f"http://{LOOPBACK}:{ports.cos}",
        "SENDCLOUD_ENDPOINT": f"http://{LOOPBACK}:{ports.sendcloud}/apiv2",
        "UNSUBSCRIBE_URL": f"http://{LOOPBACK}:{ports.gateway}",
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }


def platform_environment(function: Function, code_root: str) -> dict[str, str]:
    """Build what SCF itself sets (https://cloud.tencent.com/document/product/583/32748)."""
    return {
        "TENCENTCLOUD_RUNENV": "SCF",
        "TENCENTCLOUD_TZ": "UTC",
        "SCF_RUNTIME": "Python3.10",
        "SCF_FUNCTIONNAME": function.name,
        "SCF_FUNCTIONVERSION": "$LATEST",
        "SCF_NAMESPACE": "default",
        "USER_CODE_ROOT": f"{code_root}/",
    }


def build_context(
    function: Function, request_id: str, environment: Mapping[str, str], *, time_limit_s: float
) -> dict[str, Any]:
    """Build the second argument of a handler (https://cloud.tencent.com/document/product/583/9210)."""
    return {
        "memory_limit_in_mb": function.memory_mb,
        "time_limit_in_ms": round(time_limit_s * 1000),
        "request_id": request_id,
        "environment": json.dumps(dict(environment)),
        "environ": ";".join(f"{name}={value}" for name, value in environment.items()),
        "function_version": "$LATEST",
        "function_name": function.name,
        "namespace": "default",
        "tencentcloud_region": defaults.REGION,
        "tencentcloud_appid": defaults.APP_ID,
        "tencentcloud_uin": UIN,
    }
