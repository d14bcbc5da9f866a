"""The two doors of localcloud, asked in the same words, and what a client sees of what comes back."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from qcloud_cos import CosConfig, CosS3Client

from localcloud import mock_tencent
from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY, SENDCLOUD_KEY, SENDCLOUD_USER
from localcloud.server import LocalServer
from tests.contract.doors_project import signed_mail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.world import LocalCloud

SERVICES = ("ses", "cos", "sendcloud")
DOORS = ("mock", "server")
HOSTS = {
    "ses": "ses.tencentcloudapi.com",
    "cos": f"{BUCKET}.cos.{REGION}.myqcloud.com",
    "sendcloud": "api.sendcloud.net",
}


class Door:
    """One open door. ``urls``: service → where it is. ``acted``: service → how often it did what it was asked."""

    def __init__(self, cloud: LocalCloud, urls: dict[str, str]) -> None:
        self.cloud = cloud
        self.urls = urls
        self.acted = dict.fromkeys(SERVICES, 0)
        for name in SERVICES:
            self._count(name)

    def ask(self, service: str, *, timeout_s: float = 10) -> str:
        """Send one mail, object or SendCloud mail; ``ok``, the error's code, ``closed`` or ``timeout``."""
        try:
            return outcome_of(getattr(self, f"_ask_{service}")(timeout_s))
        except requests.exceptions.ReadTimeout:
            return "timeout"
        except requests.exceptions.ConnectionError:
            return "closed"

    def list_keys(self) -> list[str]:
        """Return the keys that a LIST shows."""
        response = self._cos("GET", "", 10, b"")
        assert response.status_code == 200, response.text
        return re.findall(r"<Key>(.*?)</Key>", response.text)

    def _ask_ses(self, timeout_s: float) -> requests.Response:
        body, headers = signed_mail(HOSTS["ses"], time.time())
        return requests.post(f"{self.urls['ses']}/", data=body, headers=headers, timeout=timeout_s)

    def _ask_cos(self, timeout_s: float) -> requests.Response:
        return self._cos("PUT", f"key-{self.acted['cos']}", timeout_s, b"x")

    def _ask_sendcloud(self, timeout_s: float) -> requests.Response:
        form = {"apiUser": SENDCLOUD_USER, "apiKey": SENDCLOUD_KEY, "from": "noreply@mail.example.com"}
        form |= {"to": "a@example.com", "subject": "Hello", "plain": "Hello"}
        return requests.post(f"{self.urls['sendcloud']}/apiv2/mail/send", data=form, timeout=timeout_s)

    def _cos(self, method: str, key: str, timeout_s: float, body: bytes) -> requests.Response:
        signer = CosS3Client(CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY))
        host = {"Host": HOSTS["cos"]}
        sign = signer.get_auth(Method=method, Bucket=BUCKET, Key=key or "/", Headers=host)
        headers = {**host, "Authorization": sign}
        return requests.request(method, f"{self.urls['cos']}/{key}", data=body, headers=headers, timeout=timeout_s)

    def _count(self, name: str) -> None:
        service = self.cloud.services[name]
        dispatch = service.dispatch

        def counting(request: Any) -> Any:
            response = dispatch(request)
            self.acted[name] += is_success(response.status, response.body)
            return response

        service.dispatch = counting


@contextmanager
def open_hostile_door(name: str) -> Iterator[Door]:
    """Open ``mock`` or ``server``, without SES's rate limit."""
    if name == "mock":
        with mock_tencent(ses_rate_per_s=0) as cloud:
            yield Door(cloud, {service: f"https://{host}" for service, host in HOSTS.items()})
    else:
        with LocalServer(ses_rate_per_s=0) as server:
            urls = {service: getattr(server, f"{service}_url") for service in SERVICES}
            yield Door(server.cloud, urls)


def is_success(status: int, body: bytes) -> bool:
    """Whether a service did what it was asked, by its own way of saying so."""
    return status == 200 and b'"Error"' not in body and b'"result":false' not in body.replace(b" ", b"")


def outcome_of(response: requests.Response) -> str:
    """``ok`` or the error's code, in whichever shape the service tells it."""
    if is_success(response.status_code, response.content):
        return "ok"
    if response.content.startswith(b"{"):
        told = json.loads(response.content)
        return str(told["Response"]["Error"]["Code"] if "Response" in told else told.get("statusCode") or told)
    found = re.search(r"<Code>(\w+)</Code>", response.text)
    return found[1] if found else str(response.status_code)
