"""Two ways into a SesService: the vendor's unmodified SDK over `responses`, and requests that we sign by hand."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import responses
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from localcloud.callbacks import CallbackQueue
from localcloud.clock import Clock
from localcloud.defaults import SECRET_ID, SECRET_KEY
from localcloud.exchange import Request
from localcloud.ses.service import SesService
from shared.upstream import signing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "ses.tencentcloudapi.com"
INTL_HOST = "ses.intl.tencentcloudapi.com"
MAIL: dict[str, Any] = {
    "FromEmailAddress": "Acme <noreply@mail.example.com>",
    "Destination": ["ann@example.com"],
    "Subject": "Your code",
    "Template": {"TemplateID": 100091, "TemplateData": '{"code": "1234"}'},
}


class World:
    """A service with its clock and callbacks, and ways to call it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        # Most tests ask for something else than pacing: those that do not, take the switches as they are born.
        self.switches = settings.pop("switches", {"hourly_per_recipient": 0})
        self.settings = {"rate_per_s": 0} | settings
        self.clock = Clock()
        self.open()

    def open(self) -> None:
        """Open (again) what lies in the folder."""
        self.callbacks = CallbackQueue(self.folder / "callbacks.sqlite3", self.clock)
        path = self.folder / "ses.sqlite3"
        self.service = SesService(path, self.clock, self.callbacks, keys={SECRET_ID: SECRET_KEY}, **self.settings)
        self.service.switches.update(self.switches)

    def close(self) -> None:
        self.service.close()
        self.callbacks.close()

    def call(self, action: str, params: object, **changes: Any) -> dict[str, Any]:
        """Sign, dispatch, and return what is inside ``Response``."""
        response = self.service.dispatch(self.request(action, params, **changes))
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        return json.loads(response.body)["Response"]

    def code(self, action: str, params: object, **changes: Any) -> str:
        """Return the error code of a call, "" when it succeeded."""
        return self.call(action, params, **changes).get("Error", {}).get("Code", "")

    def send(self, *to: str, **changes: Any) -> str:
        """Send MAIL with ``changes`` and return the MessageId."""
        return self.call("SendEmail", MAIL | ({"Destination": list(to)} if to else {}) | changes)["MessageId"]

    def rows(self, **params: Any) -> list[dict[str, Any]]:
        """Return status rows of today (UTC+8)."""
        return self.call("GetSendEmailStatus", {"RequestDate": self.today(), "Offset": 0, "Limit": 100} | params)[
            "EmailStatusList"
        ]

    def today(self, days: int = 0) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self.clock.now() + 8 * 3600 + days * 86400))

    def payloads(self) -> list[dict[str, Any]]:
        """Return the callbacks that are due, parsed."""
        self.service.pump()
        return [json.loads(callback.body) for callback in self.callbacks.due()]

    def request(
        self,
        action: str,
        params: object,
        *,
        secret_id: str = SECRET_ID,
        secret_key: str = SECRET_KEY,
        timestamp: int | None = None,
        service: str = "ses",
        signed: tuple[str, ...] = ("content-type", "host"),
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:
        """Build a signed request; ``headers`` are put in before, ``body`` replaces the signed one after signing."""
        content = params if isinstance(params, bytes) else json.dumps(params).encode()
        at = int(time.time()) if timestamp is None else timestamp
        fields = {
            "content-type": "application/json",
            "host": HOST,
            "x-tc-action": action,
            "x-tc-version": "2020-10-02",
            "x-tc-region": "ap-guangzhou",
            "x-tc-timestamp": str(at),
        } | (headers or {})
        credential = signing.Credential(secret_id, secret_key)
        fields["authorization"] = signing.sign_tc3(
            credential, fields, content, service=service, timestamp=at, signed_headers=signed
        )
        return Request("POST", HOST, "/", "", fields, content if body is None else body, "https")


@contextmanager
def intercepted(service: SesService) -> Iterator[None]:
    """Answer every HTTP request to both hosts by ``service``."""

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {name.lower(): value for name, value in request.headers.items()}
        host = headers.get("host", url.netloc)
        got = service.dispatch(Request(request.method, host, url.path, url.query, headers, body, url.scheme))
        return got.status, got.headers, got.body

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for host in (HOST, INTL_HOST):
            for method in ("POST", "GET"):
                mock.add_callback(method, f"https://{host}/", callback=answer, content_type=None)
        yield


def sdk_client(
    region: str = "ap-guangzhou", host: str = HOST, method: str = "POST", key: str = SECRET_KEY
) -> SesClient:
    """Return the vendor's client, as its documentation builds it."""
    http = HttpProfile(endpoint=host, reqMethod=method)
    return SesClient(Credential(SECRET_ID, key), region, ClientProfile(httpProfile=http))


def sdk_request(kind: str, params: dict[str, Any]) -> Any:
    """Build a request object of the SDK."""
    request = getattr(models, kind)()
    request._deserialize(params)
    return request
