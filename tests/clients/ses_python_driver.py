"""The vendor's Python SDK, unmodified, driven from outside: the China one or the International one.

Both install a package ``tencentcloud`` and overwrite each other, so the second runs in a process of its own, with its
folder first on PYTHONPATH: ``python ses_python_driver.py`` reads one JSON command a line and answers each with one.
``{"call": action, "request": {…}, "as": {…}}`` → ``{"response": {…}}`` or ``{"error": {"code", "message"}}``;
``{"control": {…}}`` (see ses_controls.py) → ``{"done": {…}}``, for the in-process door, whose cloud lives here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tencentcloud.common import abstract_client
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ses.v20201002 import models, ses_client

from localcloud.defaults import SECRET_ID, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2020-10-02"


class PythonClient:
    """``endpoint``: host and port over plain HTTP; empty means the SDK's own, over HTTPS."""

    def __init__(self, region: str, endpoint: str = "") -> None:
        self._region = region
        self._endpoint = endpoint

    def call(self, action: str, request: dict[str, Any], **who: Any) -> dict[str, Any]:
        """Call ``action``. ``who``: ``id key token region language method service skew_s``, each optional."""
        try:
            with skewed(who.get("skew_s", 0)):
                return {"response": self._answer(action, request, who)}
        except TencentCloudSDKException as error:
            return {"error": {"code": error.get_code(), "message": error.get_message()}}

    def _answer(self, action: str, request: dict[str, Any], who: dict[str, Any]) -> dict[str, Any]:
        http = HttpProfile(
            protocol="http" if self._endpoint else "https", endpoint=self._endpoint or None,
            reqMethod=who.get("method", "POST"),
        )  # fmt: skip
        profile = ClientProfile(httpProfile=http, language=who.get("language", "en-US"))
        credential = Credential(who.get("id", SECRET_ID), who.get("key", SECRET_KEY), who.get("token"))
        region = who.get("region", self._region)
        if "service" in who:
            client = CommonClient(who["service"], VERSION, credential, region, profile)
            return client.call_json(action, request)["Response"]
        typed = getattr(models, f"{action}Request")()
        typed.from_json_string(json.dumps(request))
        return json.loads(getattr(ses_client.SesClient(credential, region, profile), action)(typed).to_json_string())


@contextmanager
def skewed(seconds: float) -> Iterator[None]:
    """Let the SDK's clock go wrong by ``seconds``, and nobody else's."""
    usual = abstract_client.time
    if seconds:
        abstract_client.time = SimpleNamespace(time=lambda: time.time() + seconds, sleep=time.sleep)
    try:
        yield
    finally:
        abstract_client.time = usual


def main() -> None:
    """Answer commands until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--region", required=True)
    parser.add_argument("--endpoint", default="", help="host:port; without it the cloud is inside this process")
    parser.add_argument("--site", default="cn")
    options = parser.parse_args()
    with ExitStack() as stack:
        cloud = None
        if not options.endpoint:
            from localcloud import mock_tencent  # noqa: PLC0415 - only for that door
            from tests.clients.ses_controls import control  # noqa: PLC0415

            cloud = stack.enter_context(mock_tencent(ses_rate_per_s=0, ses_site=options.site))
        client = PythonClient(options.region, options.endpoint)
        for line in sys.stdin:
            command = json.loads(line)
            if "control" in command:
                answer = {"done": control(cloud, command["control"])}
            else:
                answer = client.call(command["call"], command["request"], **command["as"])
            print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
