"""Who may call, and what those hear who may not."""

from __future__ import annotations

import dataclasses
import time

import pytest

from localcloud.clock import Clock
from localcloud.credentials import Credentials, Temporary
from localcloud.exchange import Request
from tests.contract.ses_door import MAIL, World


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_id": "AKIDSTRANGER"}, "AuthFailure.SecretIdNotFound"),
        ({"secret_key": "wrong"}, "AuthFailure.SignatureFailure"),
        ({"body": b"{}"}, "AuthFailure.SignatureFailure"),
        ({"service": "cvm"}, "AuthFailure.SignatureFailure"),
        ({"signed": ("content-type",)}, "AuthFailure.SignatureFailure"),
        ({"signed": ("host",)}, "AuthFailure.SignatureFailure"),
        ({"timestamp": int(time.time()) - 3600}, "AuthFailure.SignatureExpire"),
        ({"timestamp": int(time.time()) + 3600}, "AuthFailure.SignatureExpire"),
        ({"headers": {"x-tc-version": "2017-03-12"}}, "NoSuchVersion"),
        ({"headers": {"x-tc-region": "ap-tokyo"}}, "UnsupportedRegion"),
        ({"headers": {"x-tc-region": ""}}, "MissingParameter"),
        ({"signed": ("content-type", "host", "x-tc-action")}, ""),
        ({"headers": {"x-tc-region": "ap-hongkong"}}, ""),
    ],
)
def test_each_way_to_sign_wrongly_has_its_code(world, changes, code):
    assert world.code("SendEmail", MAIL, **changes) == code


def test_an_unknown_action_is_invalid(world):
    assert world.code("DescribeInstances", {}) == "InvalidAction"


@pytest.mark.parametrize(
    "header", ["", "Bearer x", "TC3-HMAC-SHA256 Credential=a/b/ses/tc3_request", "TC3-HMAC-SHA256"]
)
def test_a_malformed_authorization_is_named_as_such(world, header):
    request = world.request("SendEmail", MAIL)
    headers = {**request.headers, "authorization": header}
    response = world.service.dispatch(dataclasses.replace(request, headers=headers))
    assert b"AuthFailure.InvalidAuthorization" in response.body


def test_the_scope_date_must_be_the_utc_date_of_the_timestamp(world):
    """Local +8 dates work by day and fail at night: here they always fail."""
    request = world.request("SendEmail", MAIL)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    headers = {**request.headers, "authorization": request.headers["authorization"].replace(today, "2020-01-01")}
    assert b"AuthFailure.SignatureFailure" in world.service.dispatch(dataclasses.replace(request, headers=headers)).body


def test_another_host_than_the_signed_one_is_refused(world):
    request = dataclasses.replace(world.request("SendEmail", MAIL), host="127.0.0.1:9001")
    assert b"AuthFailure.SignatureFailure" in world.service.dispatch(request).body


def test_simulated_and_real_time_are_both_right(world):
    """An SDK signs with real time, the functions with the moved clock; neither is skewed."""
    world.clock.advance(86400)
    assert world.code("SendEmail", MAIL) == ""
    assert world.code("SendEmail", MAIL, timestamp=int(world.clock.now())) == ""
    assert world.code("SendEmail", MAIL, timestamp=int(world.clock.now()) - 43200) == "AuthFailure.SignatureExpire"


def test_a_temporary_token_is_accepted_until_it_expires(world):
    token = {"x-tc-token": "session"}
    assert world.code("SendEmail", MAIL, headers=token) == ""
    world.service.tokens["session"] = world.clock.now() + 60
    assert world.code("SendEmail", MAIL, headers=token) == ""
    world.clock.advance(61)
    assert world.code("SendEmail", MAIL, headers=token) == "AuthFailure.TokenFailure"


def temporary(world: World, made: Temporary, token: str | None = None) -> str:
    headers = {"x-tc-token": made.token if token is None else token}
    return world.code("SendEmail", MAIL, secret_id=made.secret_id, secret_key=made.secret_key, headers=headers)


def test_temporary_credentials_are_good_until_they_expire(world):
    """Issued for ten simulated minutes: accepted with their token only, then AuthFailure.TokenFailure."""
    made = world.service.credentials.issue(600)
    assert temporary(world, made) == ""
    assert temporary(world, made, token="") == "AuthFailure.TokenFailure"
    assert temporary(world, made, token="another") == "AuthFailure.TokenFailure"
    assert temporary(world, made._replace(secret_key="wrong")) == "AuthFailure.SignatureFailure"
    world.clock.advance(601)
    assert temporary(world, made) == "AuthFailure.TokenFailure"
    assert temporary(world, world.service.credentials.issue()) == ""
    with pytest.raises(ValueError, match="positive"):
        world.service.credentials.issue(0)


def test_credentials_can_be_made_to_expire_under_a_warm_instance(world):
    first, second = world.service.credentials.issue(), world.service.credentials.issue()
    assert world.service.credentials.expire(first.secret_id) == 1
    assert (temporary(world, first), temporary(world, second)) == ("AuthFailure.TokenFailure", "")
    assert world.service.credentials.expire() == 1
    assert temporary(world, second) == "AuthFailure.TokenFailure"
    world.service.reset()
    assert temporary(world, second) == "AuthFailure.SecretIdNotFound"


def test_a_registry_may_be_shared_between_services(tmp_path):
    registry = Credentials({"AKIDOTHER": "other-key"}, Clock())
    world = World(tmp_path, credentials=registry)
    assert temporary(world, registry.issue()) == ""
    assert world.code("SendEmail", MAIL) == "AuthFailure.SecretIdNotFound"
    assert world.code("SendEmail", MAIL, secret_id="AKIDOTHER", secret_key="other-key") == ""
    world.close()


def test_the_rate_limit_is_per_action_and_second(tmp_path):
    """The 21st call of one action within a second of real time is RequestLimitExceeded; other actions go on."""
    world = World(tmp_path, rate_per_s=20)
    codes = [world.code("SendEmail", MAIL) for _ in range(21)]
    assert codes == [""] * 20 + ["RequestLimitExceeded"]
    assert world.code("ListSendTasks", {"Offset": 0, "Limit": 1}) == ""
    world.clock.advance(10)
    assert world.code("SendEmail", MAIL) == "RequestLimitExceeded", "the simulated clock does not pace real clients"
    assert len(world.service.messages()) == 20
    world.close()


def test_what_is_no_api_request_is_refused(world):
    """Other methods, other paths and over-large bodies never reach a handler."""
    for request in (Request("PUT", "h", "/"), Request("POST", "h", "/send")):
        assert b"UnsupportedProtocol" in world.service.dispatch(request).body
    assert world.code("SendEmail", b"{" + b" " * (8 * 1024 * 1024)) == "RequestSizeLimitExceeded"


def test_a_fault_is_answered_in_the_same_envelope(world):
    request = world.request("SendEmail", MAIL)
    response = world.service.error_response(request, "InternalError", 503)
    assert (response.status, b'"Code": "InternalError"' in response.body) == (503, True)
    assert world.service.action_of(request) == "SendEmail"
