"""SES as typed verbs: the header that the vendor's own signer would make, one request for each call, no page misread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tencentcloud.common.sign import Sign  # type: ignore[import-untyped]

from localcloud import defaults, mock_tencent
from shared.upstream import transport
from shared.upstream.errors import NO_ANSWER, NOT_JSON, NOT_SENT, UpstreamRefused, UpstreamUncertain
from shared.upstream.ses import Accepted, Identity, SesClient, TaskPage, Template
from shared.upstream.signing import Credential
from tests.unit.wire import GARBAGE, HALF, Received, answer, refused_port, serving

NOW = 1795162200.75
CREDENTIAL = Credential("AKIDEXAMPLE", "SECRETEXAMPLE", "token-example")
OK = answer(b'{"Response": {"MessageId": "qcloud-1", "RequestId": "id-1"}}')
MAIL = {
    "FromEmailAddress": f"noreply@{defaults.SENDER_DOMAIN}",
    "Destination": ["delivered@simulator.mailtrail.test"],
    "Subject": "Ihr Code für 中文",
    "Template": {"TemplateID": 100091, "TemplateData": '{"code":"1234"}'},
}


pytestmark = pytest.mark.usefixtures("fresh_session")


def client(endpoint: str, credential: Credential = CREDENTIAL, **options: Any) -> SesClient:
    """Build a client that is soon out of patience."""
    return SesClient(credential, site="cn", clock=lambda: NOW, endpoint=endpoint, timeout_s=(1.0, 0.2), **options)


def response(**members: Any) -> bytes:
    """Build a successful answer."""
    return answer(json.dumps({"Response": {"RequestId": "id-1", **members}}).encode())


def sdk_authorization(request: Received, credential: Credential, timestamp: int) -> str:
    """Sign what arrived with the official SDK's own signing chain."""
    names = ("content-type", "host")
    lines = "".join(f"{name}:{request.headers[name].lower()}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{_sha256(request.body)}"
    scope = "2026-11-20/ses/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{_sha256(canonical.encode())}"
    signature = Sign.sign_tc3(credential.secret_key, "2026-11-20", "ses", to_sign)
    return (
        f"TC3-HMAC-SHA256 Credential={credential.secret_id}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )


def _sha256(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - the judge's own means, apart from the module under test

    return hashlib.sha256(data).hexdigest()


def test_what_arrives_is_signed_as_the_official_sdk_signs():
    """Method, path, host with its port, content type and the very bytes of the body, at the time of the attempt."""
    with serving(OK) as wire:
        assert client(wire.url).send_email(MAIL) == Accepted("qcloud-1", "id-1")
    (request,) = wire.received
    assert request.line == "POST / HTTP/1.1"
    assert json.loads(request.body) == MAIL
    assert request.headers["host"] == f"127.0.0.1:{wire.port}"
    assert request.headers["authorization"] == sdk_authorization(request, CREDENTIAL, int(NOW))
    told = {name: value for name, value in request.headers.items() if name.startswith("x-tc-")}
    assert told == {
        "x-tc-action": "SendEmail",
        "x-tc-version": "2020-10-02",
        "x-tc-timestamp": str(int(NOW)),
        "x-tc-region": "ap-guangzhou",
        "x-tc-language": "en-US",
        "x-tc-token": "token-example",
    }


def test_no_token_header_without_a_token():
    """A long-lived key pair has none, and an empty one would be refused."""
    with serving(OK) as wire:
        client(wire.url, Credential("AKIDEXAMPLE", "SECRETEXAMPLE"), region="ap-hongkong").send_email(MAIL)
    assert "x-tc-token" not in wire.received[0].headers
    assert wire.received[0].headers["x-tc-region"] == "ap-hongkong"


def test_each_attempt_is_signed_with_its_own_time():
    """A signature is good for 5 minutes; a warm client lives for hours."""
    times = iter([NOW, NOW + 3600])
    with serving(OK) as wire:
        ses = SesClient(CREDENTIAL, site="cn", clock=lambda: next(times), endpoint=wire.url)
        ses.send_email(MAIL)
        ses.send_email(MAIL)
    assert [request.headers["x-tc-timestamp"] for request in wire.received] == [str(int(NOW)), str(int(NOW) + 3600)]
    assert wire.received[1].headers["authorization"] == sdk_authorization(wire.received[1], CREDENTIAL, int(NOW) + 3600)


@pytest.mark.parametrize(
    ("site", "host", "region"),
    [
        ("cn", "ses.tencentcloudapi.com", "ap-guangzhou"),
        ("intl", "ses.intl.tencentcloudapi.com", "ap-singapore"),
    ],
)
def test_without_an_endpoint_the_site_is_asked(monkeypatch: pytest.MonkeyPatch, site: str, host: str, region: str):
    """Its own host, over TLS, in its first region."""
    asked: list[Any] = []

    def post(url: str, body: bytes, headers: dict[str, str], **_: Any) -> transport.Answer:
        asked.append((url, headers["Host"], headers["X-TC-Region"]))
        return transport.Answer(200, b'{"Response": {}}')

    monkeypatch.setattr("shared.upstream.ses.post", post)
    SesClient(CREDENTIAL, site=site, clock=lambda: NOW).call("ListSendTasks", {})
    assert asked == [(f"https://{host}/", host, region)]


@pytest.mark.parametrize(
    ("left", "patience"),
    [
        (None, (3.0, 10.0)),
        (60.0, (3.0, 10.0)),
        (6.0, (3.0, 4.5)),
        (3.0, (1.5, 1.5)),
        (1.0, (0.5, 0.5)),
        (-5.0, (0.5, 0.5)),
    ],
)
def test_nobody_is_waited_for_beyond_the_time_left(
    monkeypatch: pytest.MonkeyPatch, left: float | None, patience: tuple[float, float]
):
    """A function that dies waiting tells nobody what it knows; half a second is always given."""
    waited: list[Any] = []

    def post(*_: Any, timeout_s: tuple[float, float]) -> transport.Answer:
        waited.append(timeout_s)
        return transport.Answer(200, b'{"Response": {}}')

    monkeypatch.setattr("shared.upstream.ses.post", post)
    time_left_s = None if left is None else lambda: left
    SesClient(CREDENTIAL, site="cn", clock=lambda: NOW, time_left_s=time_left_s).call("ListSendTasks", {})
    assert waited == [patience]


def test_localcloud_takes_it_and_verifies_the_signature():
    """Accepted with the right key; refused, and never tried again, with a wrong one."""
    with mock_tencent() as cloud:
        right = Credential(defaults.SECRET_ID, defaults.SECRET_KEY)
        ses = SesClient(right, site="cn", clock=cloud.clock.now)
        accepted = ses.send_email(MAIL)
        assert [message["message_id"] for message in cloud.messages()] == [accepted.message_id]
        assert accepted.request_id
        wrong = SesClient(right._replace(secret_key="another"), site="cn", clock=cloud.clock.now)
        with pytest.raises(UpstreamRefused, match=r"AuthFailure\.SignatureFailure"):
            wrong.send_email(MAIL)
        late = SesClient(right, site="cn", clock=lambda: cloud.clock.now() - 3600)
        with pytest.raises(UpstreamRefused, match=r"AuthFailure\.SignatureExpire"):
            late.send_email(MAIL)
        assert len(cloud.messages()) == 1


def test_a_refused_port_is_refused():
    """Nothing was sent."""
    with pytest.raises(UpstreamRefused) as caught:
        client(f"http://127.0.0.1:{refused_port()}").send_email(MAIL)
    assert caught.value.rule is NOT_SENT


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        (b"", NO_ANSWER),
        (None, NO_ANSWER),
        (HALF, NO_ANSWER),
        (GARBAGE, NO_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Le", NOT_JSON),  # Python takes a cut header for a whole answer
        (b'HTTP/1.1 200 OK\r\n\r\n{"Response": {"Mess', NOT_JSON),  # no length: its end is where the wire ends
        (answer(b"<html>502</html>", status=502, content_type="text/html"), NOT_JSON),
        (answer(b'{"Response": {"RequestId": "id-1"}}'), NOT_JSON),
        (answer(b'{"Response": {"MessageId": "", "RequestId": "id-1"}}'), NOT_JSON),
    ],
    ids="closes silence half garbage half-header no-length proxy no-id empty-id".split(),
)
def test_a_send_without_a_whole_answer_is_uncertain_and_made_once(reply: bytes | None, rule: object):
    """SES knows no idempotency: a second call may be a second mail, so there is none."""
    with serving(reply) as wire:
        with pytest.raises(UpstreamUncertain) as caught:
            client(wire.url).send_email(MAIL)
        assert caught.value.rule is rule
        assert len(wire.received) == 1


@pytest.mark.parametrize("code", ["InternalError", "RequestLimitExceeded", "FailedOperation.ServiceNotAvailable"])
def test_no_error_is_repeated_by_the_client(code: str):
    """Whether to try again is the caller's to decide."""
    error = response(Error={"Code": code, "Message": "no"})
    with serving(error) as wire:
        with pytest.raises((UpstreamRefused, UpstreamUncertain)):
            client(wire.url).send_email(MAIL)
        assert len(wire.received) == 1


def test_a_page_of_status_rows():
    """Offset and limit go out as numbers; null is an empty page; what is no page is an error, not the end of the day."""
    with serving(response(EmailStatusList=[{"MessageId": "m"}])) as wire:
        assert client(wire.url).get_send_email_status("2026-11-20", offset=200) == [{"MessageId": "m"}]
    assert json.loads(wire.received[0].body) == {"RequestDate": "2026-11-20", "Offset": 200, "Limit": 100}
    assert wire.received[0].headers["x-tc-action"] == "GetSendEmailStatus"
    with serving(response(EmailStatusList=None)) as wire:
        assert client(wire.url).get_send_email_status("2026-11-20", offset=0, limit=1) == []
    with serving(response(EmailStatusList="rows")) as wire, pytest.raises(UpstreamUncertain):
        client(wire.url).get_send_email_status("2026-11-20", offset=0)


def test_a_page_of_tasks():
    """With its total, which is 0 where none is told."""
    with serving(response(TotalCount=7, Data=[{"TaskId": "1"}])) as wire:
        assert client(wire.url).list_send_tasks(offset=5, limit=1) == TaskPage(7, [{"TaskId": "1"}])
    assert json.loads(wire.received[0].body) == {"Offset": 5, "Limit": 1}
    with serving(response(Data=None)) as wire:
        assert client(wire.url).list_send_tasks(offset=0) == TaskPage(0, [])


def test_a_template_or_none():
    """Its status and its parts as they come; no such template is no error."""
    content = {"Html": "PGI+", "Text": None}
    with serving(response(TemplateContent=content, TemplateStatus=1, TemplateName="x")) as wire:
        assert client(wire.url).get_email_template(7) == Template(1, "PGI+", "")
    assert json.loads(wire.received[0].body) == {"TemplateID": 7}
    for code in ("InvalidParameterValue.TemplateNotExist", "ResourceNotFound"):
        with serving(response(Error={"Code": code, "Message": "no"})) as wire:
            assert client(wire.url).get_email_template(7) is None
    error = response(Error={"Code": "UnauthorizedOperation", "Message": "no"})
    with serving(error) as wire, pytest.raises(UpstreamRefused):
        client(wire.url).get_email_template(7)


def test_the_sending_domains():
    """Names in lower case, what is not told is 0; a list that is none is an error."""
    rows = [
        {"IdentityName": "Mail.Example.com", "SendingEnabled": True, "CurrentReputationLevel": 3, "DailyQuota": 2000},
        {"IdentityName": "b.example", "SendingEnabled": False},
    ]
    with serving(response(EmailIdentities=rows)) as wire:
        found = client(wire.url).list_email_identities()
    assert found == [
        Identity("mail.example.com", is_verified=True, level=3, daily_quota=2000),
        Identity("b.example", is_verified=False, level=0, daily_quota=0),
    ]
    with serving(response(EmailIdentities="none")) as wire, pytest.raises(UpstreamUncertain):
        client(wire.url).list_email_identities()


def test_how_many_a_domain_has_written_to():
    """Of that day alone; a day without mail is not in the answer."""
    days = [{"SendDate": "2026-11-20", "RequestCount": 40}, {"SendDate": "2026-11-19", "RequestCount": 9}]
    with serving(response(DailyVolumes=days, OverallVolume={})) as wire:
        assert client(wire.url).count_requests("2026-11-20", "mail.example.com") == 40
    wanted = {"StartDate": "2026-11-20", "EndDate": "2026-11-20", "Domain": "mail.example.com"}
    assert json.loads(wire.received[0].body) == wanted
    with serving(response(DailyVolumes=None)) as wire:
        assert client(wire.url).count_requests("2026-11-20", "mail.example.com") == 0


def test_who_can_do_without_an_answer_waits_for_less(monkeypatch: pytest.MonkeyPatch):
    """And never longer than the time left allows."""
    waited: list[Any] = []

    def post(*_: Any, timeout_s: tuple[float, float]) -> transport.Answer:
        waited.append(timeout_s)
        return transport.Answer(200, b'{"Response": {}}')

    monkeypatch.setattr("shared.upstream.ses.post", post)
    ses = SesClient(CREDENTIAL, site="cn", clock=lambda: NOW, time_left_s=lambda: 4.0)
    for each in (ses.within(2.0), ses.within(60.0), ses):
        each.call("ListEmailIdentities", {})
    assert waited == [(2.0, 2.0), (2.5, 2.5), (2.5, 2.5)]
