"""SendCloud as typed verbs: the key in the body and never in a URL, one request for each call."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from localcloud import defaults, mock_tencent
from shared.upstream.errors import UpstreamRefused, UpstreamUncertain
from shared.upstream.sendcloud import SendCloudClient, StatusPage
from tests.unit.wire import HALF, answer, refused_port, serving

DAY = "2026-11-20"


pytestmark = pytest.mark.usefixtures("fresh_session")


def client(endpoint: str) -> SendCloudClient:
    """Build a client that is soon out of patience."""
    return SendCloudClient("user", "k&y=1", endpoint=endpoint, timeout_s=(1.0, 0.2))


def page(**info: object) -> bytes:
    """Build a successful answer."""
    return answer(json.dumps({"result": True, "statusCode": 200, "info": info}).encode())


@pytest.mark.parametrize("base", ["/apiv2", "/api/"])
def test_the_query_is_a_form_and_the_key_is_not_in_the_url(base: str):
    """URLs end in logs. Either generation of paths, with or without a slash at the end."""
    with serving(page(total="2", voList=[{"emailId": "a"}, {"emailId": "b"}])) as wire:
        got = client(f"{wire.url}{base}").email_status(DAY, "2026-11-22", start=100)
    assert got == StatusPage(2, [{"emailId": "a"}, {"emailId": "b"}])
    (request,) = wire.received
    assert request.line == f"POST {base.rstrip('/')}/data/emailStatus HTTP/1.1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "apiUser": ["user"],
        "apiKey": ["k&y=1"],
        "startDate": [DAY],
        "endDate": ["2026-11-22"],
        "start": ["100"],
        "limit": ["100"],
    }


def test_other_names_of_the_list_are_read():
    """Other pages of the vendor say dataList; nothing at all is an empty page."""
    with serving(page(total=1, dataList=[{"emailId": "a"}])) as wire:
        assert client(wire.url).email_status(DAY, DAY, start=0, limit=1) == StatusPage(1, [{"emailId": "a"}])
    with serving(page()) as wire:
        assert client(wire.url).email_status(DAY, DAY, start=0) == StatusPage(0, [])
    with serving(page(total="1", voList="rows")) as wire, pytest.raises(UpstreamUncertain):
        client(wire.url).email_status(DAY, DAY, start=0)


def test_a_throttle_is_refused_with_a_time_to_come_back():
    """50000 in lower-case ``statuscode``."""
    throttled = answer(b'{"result": false, "statuscode": 50000, "message": "slow", "info": {}}')
    with serving(throttled) as wire:
        with pytest.raises(UpstreamRefused) as caught:
            client(wire.url).email_status(DAY, DAY, start=0)
        assert (caught.value.rule.code, caught.value.rule.retry_after_s) == ("rate_limited", 60)
        assert len(wire.received) == 1


def test_the_wire_is_told_honestly():
    """As for SES: nothing sent, or nobody knows; one request."""
    with pytest.raises(UpstreamRefused):
        client(f"http://127.0.0.1:{refused_port()}").email_status(DAY, DAY, start=0)
    for reply in (b"", None, HALF):
        with serving(reply) as wire:
            with pytest.raises(UpstreamUncertain):
                client(wire.url).email_status(DAY, DAY, start=0)
            assert len(wire.received) == 1


def test_localcloud_answers_it():
    """The local account's user is known, another is not."""
    with mock_tencent() as cloud:
        cloud.sendcloud.seed(day=DAY, messages=5, seed=1)
        endpoint = "https://api.sendcloud.net/apiv2"
        known = SendCloudClient(defaults.SENDCLOUD_USER, defaults.SENDCLOUD_KEY, endpoint=endpoint)
        assert len(known.email_status(DAY, DAY, start=0).rows) > 0
        with pytest.raises(UpstreamRefused, match="40005"):
            SendCloudClient("user", "key", endpoint=endpoint).email_status(DAY, DAY, start=0)
