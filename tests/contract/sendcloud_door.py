"""A door to the local SendCloud: calls as its documentation writes them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from localcloud.callbacks import CallbackQueue
from localcloud.clock import Clock
from localcloud.exchange import Request
from localcloud.sendcloud.service import SendCloudService

if TYPE_CHECKING:
    from pathlib import Path

USER, KEY, APP_KEY = "local", "local-sendcloud-key", "local-sendcloud-app-key"
FORM = "application/x-www-form-urlencoded"


class World:
    """A service with its clock and callbacks, and ways to call it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = Clock()
        self.callbacks = CallbackQueue(folder / "callbacks.sqlite3", self.clock)
        path = folder / "sendcloud.sqlite3"
        users = {USER: KEY}
        self.service = SendCloudService(path, self.clock, self.callbacks, users=users, app_key=APP_KEY, **settings)

    def close(self) -> None:
        self.service.close()
        self.callbacks.close()

    def call(self, verb: str, params: dict[str, Any], *, method: str = "POST", prefix: str = "apiv2") -> dict[str, Any]:
        text = urlencode({"apiUser": USER, "apiKey": KEY} | params, doseq=True)
        query, body = (text, b"") if method == "GET" else ("", text.encode())
        path = f"/{prefix}/{verb}"
        response = self.service.dispatch(
            Request(method, "api.sendcloud.net", path, query, {"content-type": FORM}, body)
        )
        assert response.status == 200
        return json.loads(response.body)

    def status(self, *, method: str = "POST", prefix: str = "apiv2", **params: Any) -> dict[str, Any]:
        return self.call("data/emailStatus", params, method=method, prefix=prefix)

    def send(self, *to: str, **params: Any) -> list[str]:
        """Send a mail and return its emailIds."""
        mail = {"from": "noreply@mail.example.com", "to": ";".join(to), "subject": "Hello", "html": "<p>Hi</p>"}
        return self.call("mail/send", mail | params)["info"]["emailIdList"]

    def webhooks(self) -> list[dict[str, str]]:
        """Return the webhooks that are due, parsed."""
        self.service.pump()
        forms = [parse_qs(callback.body.decode(), keep_blank_values=True) for callback in self.callbacks.due()]
        return [{name: values[0] for name, values in form.items()} for form in forms]

    def day(self, days: int = 0) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self.clock.now() + 8 * 3600 + days * 86400))
