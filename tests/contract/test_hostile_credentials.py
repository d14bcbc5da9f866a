"""Credentials that expire under a warm instance: refused by SES and COS, replaced at the next invocation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from qcloud_cos import CosConfig, CosS3Client, CosServiceError
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from localcloud.defaults import BUCKET, REGION, SECRET_ID
from localcloud.server import LocalServer
from tests.contract.doors_project import MAIL, call, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(code_root=write_project(tmp_path), ses_rate_per_s=0) as running:
        yield running


def invoke(server: LocalServer) -> tuple[str, ...]:
    """Return the credentials that the function found in its environment."""
    environ = json.loads(call(f"{server.url}/echo").body)["environ"]
    return tuple(environ.get(name, "") for name in NAMES)


def rotate(server: LocalServer, ttl_s: float | None) -> dict[str, object]:
    return call(f"{server.url}/_local/credentials", "POST", {"ttl_s": ttl_s}).json


def ses_says(server: LocalServer, who: tuple[str, ...]) -> str:
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{server.ports.ses}"))
    request = models.SendEmailRequest()
    request._deserialize(MAIL)
    try:
        SesClient(Credential(*who), REGION, profile).SendEmail(request)
    except TencentCloudSDKException as error:
        return str(error.get_code())
    return "ok"


def cos_says(server: LocalServer, who: tuple[str, ...]) -> str:
    config = CosConfig(
        Region=REGION, SecretId=who[0], SecretKey=who[1], Token=who[2] or None, Scheme="http", IP="127.0.0.1",
        Port=server.ports.cos,
    )  # fmt: skip
    try:
        CosS3Client(config, retry=0).put_object(Bucket=BUCKET, Key="a", Body=b"x")
    except CosServiceError as error:
        return f"{error.get_status_code()} {error.get_error_code()}"
    return "ok"


def test_the_next_invocation_has_a_fresh_credential_and_the_old_one_is_refused(server: LocalServer) -> None:
    """As SCF does: the environment changes under a warm instance; who keeps the first key fails after its time."""
    assert invoke(server)[0] == SECRET_ID
    assert rotate(server, 60)["ttl_s"] == 60
    first = invoke(server)
    assert first[0].startswith("AKID")
    assert first[0] != SECRET_ID
    assert first[2]
    assert (ses_says(server, first), cos_says(server, first)) == ("ok", "ok")
    assert invoke(server) == first
    server.cloud.advance(61)
    assert ses_says(server, first) == "AuthFailure.TokenFailure"
    assert cos_says(server, first) == "400 ExpiredToken"
    second = invoke(server)
    assert second[0] != first[0]
    assert (ses_says(server, second), cos_says(server, second)) == ("ok", "ok")
    assert call(f"{server.url}/_local/credentials").json["issued"] == 2


def test_a_credential_is_replaced_before_an_invocation_would_see_it_expire(server: LocalServer) -> None:
    rotate(server, 60)
    first = invoke(server)
    server.cloud.advance(31)
    assert invoke(server) != first
    assert ses_says(server, first) == "ok"


@pytest.mark.parametrize("token", ["", "another"])
def test_a_temporary_key_needs_its_token(server: LocalServer, token: str) -> None:
    rotate(server, 60)
    who = (*invoke(server)[:2], token)
    assert ses_says(server, who) == "AuthFailure.TokenFailure"
    assert cos_says(server, who) == "403 AccessDenied"


def test_the_permanent_key_comes_back_without_a_token(server: LocalServer) -> None:
    """A warm instance keeps its environment, so that the token must be emptied."""
    rotate(server, 60)
    invoke(server)
    assert call(f"{server.url}/_local/credentials", "DELETE").json["secret_id"] == SECRET_ID
    who = invoke(server)
    assert (who[0], who[2]) == (SECRET_ID, "")
    assert (ses_says(server, who), cos_says(server, who)) == ("ok", "ok")
    rotate(server, 60)
    assert call(f"{server.url}/_local/reset", "POST").status == 200
    assert invoke(server)[0] == SECRET_ID


@pytest.mark.parametrize("body", [{}, {"ttl_s": 0}, {"ttl_s": "60"}, {"ttl_s": 60, "more": 1}, [60]])
def test_what_is_not_a_time_to_live_is_refused(server: LocalServer, body: object) -> None:
    assert call(f"{server.url}/_local/credentials", "POST", body).status == 400
