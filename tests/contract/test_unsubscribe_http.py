"""From the mail to the list through localcloud's HTTP door, in every shape of event, with nothing but HTTP."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from localcloud import defaults
from localcloud.server import LocalServer
from shared.trail.store import Place, Store
from tests.unsubscribing import FORM, ONE_CLICK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(code_root=ROOT, ses_rate_per_s=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _born_again(server: LocalServer) -> None:
    server.cloud.reset()
    server.cloud.ses.switches.update({"hourly_per_recipient": 0})


def ask(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Make one request; errors are answers too."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def send_one(server: LocalServer) -> dict[str, str]:
    """Send a mail and return its headers as SES got them."""
    mail: dict[str, Any] = {
        "from": "Acme <noreply@mail.example.com>",
        "to": ["reader@example.com"],
        "subject": "News",
        "template": {"id": 100091, "data": {"code": "1"}},
    }
    headers = {"Authorization": f"Bearer {defaults.SEND_KEY}", "Content-Type": "application/json"}
    status, _, body = ask(f"{server.url}/send", "POST", json.dumps(mail).encode(), headers)
    assert status == 202, body
    found: dict[str, str] = json.loads(server.cloud.messages(1)[0]["request"]["SmtpHeaders"])
    return found


def suppressed(server: LocalServer) -> list[str]:
    """Return the keys of the suppression list."""
    endpoint = f"http://127.0.0.1:{server.ports.cos}"
    keys = (defaults.SECRET_ID, defaults.SECRET_KEY, "")
    place = Place(*keys, defaults.BUCKET, defaults.REGION, endpoint, "forbid-overwrite")
    return [entry.key for entry in Store(place).iterate("suppression/")]


@pytest.mark.parametrize("shape", ["apigw", "function-url", "clb"])
def test_the_link_of_a_mail_leads_to_the_list(server: LocalServer, shape: str) -> None:
    """Scanner, person, mailbox provider, in this order: only the last two are heard, and only once."""
    headers = send_one(server)
    link = headers["List-Unsubscribe"].strip("<>")
    assert link.startswith(f"{server.url}/unsubscribe/")
    assert headers["List-Unsubscribe-Post"].encode() == ONE_CLICK
    as_shape = {"X-Localcloud-Event": shape}
    for method in ("HEAD", "GET"):
        status, told, page = ask(link, method, headers=as_shape)
        assert (status, told["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert (b"<button" in page) is (method == "GET")
    assert suppressed(server) == []
    for body in (b"mailtrail-button=1", headers["List-Unsubscribe-Post"].encode()):
        status, _, page = ask(link, "POST", body, {**as_shape, "Content-Type": FORM})
        assert status == 200, page
        assert len(suppressed(server)) == 1
    assert ask(link[:-3], "POST", ONE_CLICK, {**as_shape, "Content-Type": FORM})[0] == 404
