"""The in-process door: mock_tencent as context manager, decorator and fixture, judged by the vendors' own clients."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import unittest
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
import requests
from qcloud_cos import CosConfig, CosS3Client, CosServiceError
from tencentcloud.common.credential import EnvironmentVariableCredential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from localcloud import LocalCloud, mock_tencent
from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY, SENDCLOUD_KEY, SENDCLOUD_USER
from localcloud.interception import KEPT_CALLS
from localcloud.mock import _active
from localcloud.pytest_plugin import tencent  # noqa: F401 - a fixture
from localcloud.server import LocalServer
from tests.contract.doors_project import MAIL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def cos_client() -> CosS3Client:
    return CosS3Client(CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY), retry=1)


def send_by_sdk() -> str:
    request = models.SendEmailRequest()
    request._deserialize(MAIL)
    client = SesClient(EnvironmentVariableCredential().get_credential(), REGION)
    return str(client.SendEmail(request).MessageId)


def test_the_official_sdks_work_with_their_defaults_and_the_environments_keys() -> None:
    with mock_tencent() as cloud:
        message_id = send_by_sdk()
        assert [message["message_id"] for message in cloud.messages()] == [message_id]
        cos = cos_client()
        cos.put_object(Bucket=BUCKET, Key="a b/ü", Body=b"hello")
        assert cos.get_object(Bucket=BUCKET, Key="a b/ü")["Body"].get_raw_stream().read() == b"hello"
        with pytest.raises(CosServiceError) as caught:
            cos.head_object(Bucket=BUCKET, Key="missing")
        assert caught.value.get_status_code() == 404


def test_bodies_of_every_kind_arrive_and_gzip_stays_as_it_was_stored() -> None:
    packed = gzip.compress(b"x" * 1000)
    with mock_tencent():
        cos = cos_client()
        cos.put_object(Bucket=BUCKET, Key="file", Body=io.BytesIO(b"from a file"))
        cos.put_object(Bucket=BUCKET, Key="gz", Body=packed, ContentEncoding="gzip")
        assert cos.get_object(Bucket=BUCKET, Key="file")["Body"].get_raw_stream().read() == b"from a file"
        stream = cos.get_object(Bucket=BUCKET, Key="gz")["Body"].get_raw_stream()
        assert stream.read(decode_content=False) == packed
        head = cos.head_object(Bucket=BUCKET, Key="gz")
        assert head["Content-Length"] == str(len(packed))


def test_sendcloud_answers_on_its_hosts() -> None:
    form = {"apiUser": SENDCLOUD_USER, "apiKey": SENDCLOUD_KEY, "days": "1"}
    with mock_tencent():
        for host, path in (
            ("api.sendcloud.net", "apiv2"),
            ("api2.sendcloud.net", "api"),
            ("api-us.aurorasendcloud.com", "api"),
        ):
            answer = requests.post(f"https://{host}/{path}/data/emailStatus", data=form).json()
            assert answer["result"] is True, answer


@mock_tencent
def test_the_decorator_needs_no_parentheses_and_an_inner_use_joins() -> None:
    with mock_tencent() as cloud:
        send_by_sdk()
    with mock_tencent() as again:
        assert again is cloud
        assert len(again.messages()) == 1


@mock_tencent(ses_rate_per_s=1)
def test_the_decorator_takes_the_options_of_the_cloud() -> None:
    send_by_sdk()
    with pytest.raises(TencentCloudSDKException, match="RequestLimitExceeded"):
        send_by_sdk()


@mock_tencent
class TestClass:
    """Every test of a decorated class has a cloud of its own."""

    def test_first(self) -> None:
        send_by_sdk()
        assert len(_active.cloud.messages()) == 1

    def test_second(self) -> None:
        send_by_sdk()
        assert len(_active.cloud.messages()) == 1


class Inherited:
    def test_inherited(self) -> None:
        send_by_sdk()


@mock_tencent
class TestPrepared(Inherited):
    """What a class prepares before each test, and clears up after it, is in the cloud of that test."""

    @pytest.fixture(autouse=True)
    def _sent_by_a_fixture(self) -> None:
        send_by_sdk()

    def setup_method(self) -> None:
        send_by_sdk()

    def teardown_method(self, method: object) -> None:
        assert method is not None
        send_by_sdk()
        assert len(_active.cloud.messages()) >= 3

    def test_first(self) -> None:
        assert len(_active.cloud.messages()) == 2

    @staticmethod
    def test_static() -> None:
        send_by_sdk()

    @classmethod
    def test_of_the_class(cls) -> None:
        send_by_sdk()


def test_methods_that_a_class_inherits_or_that_need_no_instance_are_inside() -> None:
    """Called by anyone, in any way: nothing goes to the real cloud."""
    TestPrepared.test_static()
    TestPrepared.test_of_the_class()
    TestPrepared().test_inherited()
    assert _active.cloud is None
    assert not hasattr(Inherited.test_inherited, "__wrapped__")


@pytest.mark.parametrize("fails_in", ["", "setUp", "test_it", "tearDown"])
def test_a_unittest_is_inside_from_set_up_to_its_last_cleanup(fails_in: str) -> None:
    """However it ends, the mock ends with it."""
    seen: list[str] = []

    def send(name: str) -> None:
        send_by_sdk()
        seen.append(name)
        if name == fails_in:
            raise ValueError(name)

    @mock_tencent
    class Case(unittest.TestCase):
        def setUp(self) -> None:
            self.addCleanup(send, "cleanup")
            send("setUp")

        def test_it(self) -> None:
            send("test_it")

        def tearDown(self) -> None:
            send("tearDown")

    result = unittest.TestResult()
    Case("test_it").run(result)
    assert len(result.errors) == bool(fails_in)
    assert seen == (["setUp", "cleanup"] if fails_in == "setUp" else ["setUp", "test_it", "tearDown", "cleanup"])
    assert _active.cloud is None


def test_a_set_up_that_fails_leaves_no_mock_behind() -> None:
    """Nobody tears down then."""

    @mock_tencent
    class Broken:
        def setup_method(self) -> None:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Broken().setup_method()
    assert _active.cloud is None


def test_a_generator_is_mocked_while_it_runs() -> None:
    """Such as a fixture: its body, not only its making; its result stays its result."""

    @mock_tencent
    def numbers() -> Iterator[int]:
        send_by_sdk()
        yield len(_active.cloud.messages())
        send_by_sdk()
        return len(_active.cloud.messages())

    running = numbers()
    assert _active.cloud is None
    assert next(running) == 1
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert (ended.value.value, _active.cloud) == (2, None)


def test_an_async_generator_is_mocked_while_it_runs() -> None:
    """Its `finally` too, when nobody reads it to its end."""
    cleared: list[int] = []

    @mock_tencent
    async def numbers() -> AsyncIterator[int]:
        try:
            send_by_sdk()
            yield 1
            yield 2
        finally:
            send_by_sdk()
            cleared.append(len(_active.cloud.messages()))

    async def read_one() -> int:
        async with aclosing(numbers()) as running:
            return await running.__anext__()

    assert asyncio.run(read_one()) == 1
    assert (cleared, _active.cloud) == ([2], None)


@pytest.mark.parametrize("target", [5, "name", property(lambda self: self)])
def test_what_cannot_be_called_cannot_be_decorated(target: object) -> None:
    """Rather than a wrapper that fails later."""
    with pytest.raises(TypeError, match="mock_tencent decorates"):
        mock_tencent(target)


def test_a_coroutine_is_mocked_while_it_runs() -> None:
    @mock_tencent
    async def send() -> int:
        await asyncio.sleep(0)
        send_by_sdk()
        return len(_active.cloud.messages())

    assert asyncio.run(send()) == 1
    assert _active.cloud is None


def test_the_fixture_is_a_cloud(tencent: LocalCloud) -> None:  # noqa: F811
    assert send_by_sdk() == tencent.messages()[0]["message_id"]


def test_environment_and_requests_are_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SES_ENDPOINT", "http://elsewhere")
    monkeypatch.setenv("TENCENTCLOUD_SECRETID", "mine")
    before, send = dict(os.environ), requests.adapters.HTTPAdapter.send
    with mock_tencent() as cloud:
        assert os.environ["TENCENTCLOUD_SECRETID"] == SECRET_ID
        assert "SES_ENDPOINT" not in os.environ
        cloud.clock.advance(60)
        assert float(os.environ["MAILTRAIL_CLOCK_OFFSET_S"]) == 60
        folder = cloud.data
    assert dict(os.environ) == before
    assert requests.adapters.HTTPAdapter.send is send
    assert not folder.exists()


def test_loopback_passes_and_every_other_host_is_refused() -> None:
    with LocalServer() as server, mock_tencent():
        assert requests.get(f"{server.url}/_local/health", timeout=5).status_code == 200
        for url in (
            "https://example.com/",
            "https://tencentcloudapi.com.example.com/",
            "https://nottencentcloudapi.com/",
        ):
            with pytest.raises(requests.exceptions.ConnectionError, match="doesn't match any registered mock"):
                requests.get(url, timeout=5)


def test_faults_look_to_a_client_as_they_do_on_the_wire() -> None:
    with mock_tencent() as cloud:
        url = "https://ses.tencentcloudapi.com/"
        cloud.add_faults({"service": "ses", "kind": "drop_response", "times": 1})
        with pytest.raises(requests.exceptions.ConnectionError, match="Connection aborted"):
            requests.post(url, data=b"{}")
        cloud.add_faults({"service": "ses", "kind": "delay", "seconds": 9, "times": 1})
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.post(url, data=b"{}", timeout=0.05)
        assert requests.post(url, data=b"{}").status_code == 200


def test_callbacks_can_be_taken_in_process() -> None:
    with mock_tencent() as cloud:
        message_id = send_by_sdk()
        cloud.clock.advance(3600)
        taken = []
        assert cloud.deliver_callbacks(lambda callback: taken.append((callback.message_id, callback.event)) or 200) == 1
        assert taken == [(message_id, "delivered")]


def test_only_the_latest_calls_are_kept() -> None:
    with mock_tencent():
        for _ in range(KEPT_CALLS + 20):
            requests.post("https://ses.tencentcloudapi.com/", data=b"{}")
        assert len(_active.door.calls) == KEPT_CALLS
        assert all(len(response.calls) <= KEPT_CALLS for response in _active.door.registered())


def test_what_is_changed_after_its_end_is_told_to_nobody() -> None:
    before = dict(os.environ)
    with mock_tencent() as cloud:
        cloud.ses.switches.update({"hourly_per_recipient": 0})
        assert os.environ["SES_HOURLY"] == "0"
    cloud.ses.switches.update({"requests_per_s": 0})
    cloud.ses.switches.reset()
    assert dict(os.environ) == before
