"""The vendor's own client, unmodified, is content with the local SES: what it sends is understood, what it gets too."""

from __future__ import annotations

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from tests.contract.ses_door import INTL_HOST, MAIL, World, intercepted, sdk_client, sdk_request


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    with intercepted(opened.service):
        yield opened
    opened.close()


def test_a_mail_goes_out_and_its_status_is_read_back(world):
    """SendEmail → MessageId; a second later GetSendEmailStatus shows the delivered row."""
    client = sdk_client()
    sent = client.SendEmail(sdk_request("SendEmailRequest", MAIL))
    assert sent.MessageId.startswith(f"qcloudses-30-1250000000-date-{world.today().replace('-', '')}")
    assert sent.RequestId
    world.clock.advance(1.5)
    query = {"RequestDate": world.today(), "Offset": 0, "Limit": 10, "MessageId": sent.MessageId}
    answer = client.GetSendEmailStatus(sdk_request("GetSendEmailStatusRequest", query))
    (row,) = answer.EmailStatusList
    assert (row.MessageId, row.ToEmailAddress) == (sent.MessageId, "ann@example.com")
    assert row.FromEmailAddress == "noreply@mail.example.com"
    assert (row.SendStatus, row.DeliverStatus, row.DeliverMessage) == (0, 1, "")
    assert row.DeliverTime - row.RequestTime in (1, 2)
    assert (row.UserOpened, row.UserComplained) == (False, False)
    with pytest.warns(DeprecationWarning, match="UserComplainted"):
        assert row.UserComplainted is False


def test_a_task_is_made_and_listed(world):
    """BatchSendEmail → integer TaskId; ListSendTasks shows it as the SDK's SendTaskData."""
    client = sdk_client()
    task = {k: MAIL[k] for k in ("FromEmailAddress", "Subject", "Template")} | {"ReceiverId": 123, "TaskType": 1}
    made = client.BatchSendEmail(sdk_request("BatchSendEmailRequest", task))
    assert isinstance(made.TaskId, int)
    listed = client.ListSendTasks(sdk_request("ListSendTasksRequest", {"Offset": 0, "Limit": 100}))
    assert listed.TotalCount == 1
    assert (listed.Data[0].TaskId, listed.Data[0].TaskStatus, listed.Data[0].RequestCount) == (made.TaskId, 1, 11)
    assert listed.Data[0].Template.TemplateID == 100091
    assert listed.Data[0].CycleParam is None


def test_get_requests_work_too(world):
    """API 3.0 takes the same call as GET, its parameters flattened into the signed query."""
    client = sdk_client(method="GET")
    sent = client.SendEmail(sdk_request("SendEmailRequest", MAIL | {"TriggerType": 1, "Cc": ["b@example.com"]}))
    (message,) = world.service.messages()
    assert (message["message_id"], message["cc"]) == (sent.MessageId, ["b@example.com"])


def test_the_international_site_has_its_own_region(tmp_path):
    """intl: ap-singapore is served, ap-guangzhou is UnsupportedRegion; Unsubscribe ends at 11."""
    world = World(tmp_path, site="intl")
    with intercepted(world.service):
        assert sdk_client("ap-singapore", INTL_HOST).SendEmail(sdk_request("SendEmailRequest", MAIL)).MessageId
        with pytest.raises(TencentCloudSDKException) as caught:
            sdk_client("ap-guangzhou", INTL_HOST).SendEmail(sdk_request("SendEmailRequest", MAIL))
        assert caught.value.code == "UnsupportedRegion"
        request = sdk_request("SendEmailRequest", MAIL | {"Unsubscribe": "12"})
        with pytest.raises(TencentCloudSDKException) as caught:
            sdk_client("ap-singapore", INTL_HOST).SendEmail(request)
        assert caught.value.code == "InvalidParameterValue"
    world.close()


def test_the_sdk_sees_an_error_as_an_error(world):
    """Only Content-Type `application/json` makes the SDK look for errors; code and request id arrive."""
    with pytest.raises(TencentCloudSDKException) as caught:
        sdk_client().SendEmail(sdk_request("SendEmailRequest", MAIL | {"FromEmailAddress": "a@elsewhere.example"}))
    assert caught.value.code == "FailedOperation.NotAuthenticatedSender"
    assert caught.value.requestId


def test_a_wrong_key_is_refused(world):
    """A SecretKey that is not the account's: AuthFailure.SignatureFailure, and nothing is sent."""
    with pytest.raises(TencentCloudSDKException) as caught:
        sdk_client(key="not-the-key").SendEmail(sdk_request("SendEmailRequest", MAIL))
    assert caught.value.code == "AuthFailure.SignatureFailure"
    assert world.service.messages() == []


def test_an_unsigned_payload_is_accepted(world):
    """`unsignedPayload` of the SDK signs the literal UNSIGNED-PAYLOAD instead of the body."""
    client = sdk_client()
    client.profile.unsignedPayload = True
    assert client.SendEmail(sdk_request("SendEmailRequest", MAIL)).MessageId
