"""What the COS SDK would do on its own is off, and stays off: attempts, their host and their number are ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from localcloud import defaults
from localcloud.exchange import Response
from tests.handlers import EVENT, bucket, call_back

if TYPE_CHECKING:
    from localcloud import LocalCloud
    from localcloud.exchange import Request

HOST = f"{defaults.BUCKET}.cos.{defaults.REGION}.myqcloud.com"
"""As in the cloud: without COS_ENDPOINT, where the SDK knows another domain to go to."""


@pytest.fixture
def puts(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Note every PUT that reaches COS, whatever becomes of it; retries without pauses."""
    seen: list[Request] = []
    dispatch = cloud.dispatch

    def note(service: str, request: Any, **options: Any) -> Any:
        if service == "cos" and request.method == "PUT":
            seen.append(request)
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", note)
    monkeypatch.delenv("COS_ENDPOINT", raising=False)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return seen


@pytest.mark.parametrize("kind", ["error", "drop_request", "drop_response"])
def test_an_attempt_is_one_request_and_none_is_the_sdks(kind: str, cloud: LocalCloud, puts: list[Request]) -> None:
    """A 503 without x-cos-request-id is what makes the SDK change domains; a connection that closes as well."""
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": kind, "times": 3,
                      **({"status": 503, "code": "ServiceUnavailable"} if kind == "error" else {})})  # fmt: skip
    assert call_back(EVENT).body == {"stored": 1}
    assert len(puts) == 4, "three that failed and one that did not"
    assert {request.host for request in puts} == {HOST}
    assert not [request for request in puts if "x-cos-sdk-retry" in request.headers]
    assert len({request.path for request in puts}) == 1
    assert len(bucket("events/")) == 1


def test_the_sdk_left_alone_does_repeat_and_does_change_hosts(cloud: LocalCloud, puts: list[Request]) -> None:
    """The control: what the settings above switch off exists, and this test would see it."""
    config = CosConfig(Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=defaults.SECRET_KEY,
                       AutoSwitchDomainOnRetry=True)  # fmt: skip
    nameless = Response(503, {}, b"")
    cloud.cos.dispatch = lambda _: nameless  # type: ignore[method-assign] - as a proxy on the way would answer
    with pytest.raises(CosServiceError):
        CosS3Client(config, retry=2).put_object(Bucket=defaults.BUCKET, Key="x", Body=b"x")
    assert len(puts) == 3
    assert [request.headers.get("x-cos-sdk-retry") for request in puts] == [None, "true", "true"]
    assert [request.host.partition(".cos.")[2] for request in puts] == [
        f"{defaults.REGION}.myqcloud.com", f"{defaults.REGION}.myqcloud.com", f"{defaults.REGION}.tencentcos.cn",
    ]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_no_acknowledgement(
    status: int, cloud: LocalCloud, puts: list[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    """The SDK takes any answer below 400 for success. Nobody follows it, so nothing would be stored."""
    cloud.add_faults(
        {"service": "cos", "action": "PutObject", "kind": "error", "status": status, "code": "TemporaryRedirect"}
    )
    answer = call_back(EVENT, time_limit_s=1.05)
    assert answer.status == 503
    assert puts
    assert bucket() == {}
    assert "mtr1." in capsys.readouterr().out
