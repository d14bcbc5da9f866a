"""Every action of the vendor's own SDK, unmodified: what it sends is understood, and every member of its answers is there.

The wire shapes of tencentcloud-sdk-python-intl-en 3.1.193 are the same (members, types, codes and actions compared with
3.1.135 of the China SDK); the two cannot be installed side by side, because they are the same modules.
"""

from __future__ import annotations

import base64
import inspect
import re
from typing import Any

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.ses.v20201002 import errorcodes, models, ses_client

from localcloud.ses.actions import ACTIONS
from localcloud.ses.errors import MESSAGES
from tests.contract.ses_door import INTL_HOST, MAIL, World, intercepted, sdk_client, sdk_request

SITES = {"cn": ("ap-guangzhou", "ses.tencentcloudapi.com"), "intl": ("ap-singapore", INTL_HOST)}
OPTIONAL = {"DeprecatedWarning"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Site:
    """A local account at one site, called through the vendor's client."""

    def __init__(self, world: World, site: str) -> None:
        self.world = world
        self._client = sdk_client(*SITES[site])

    def call(self, action: str, **params: Any) -> Any:
        """Call as an SDK user does, and check that the answer has every member that its class knows."""
        answer = getattr(self._client, action)(sdk_request(f"{action}Request", params))
        assert answer.RequestId
        assert_complete(answer)
        return answer

    def code(self, action: str, **params: Any) -> str:
        with pytest.raises(TencentCloudSDKException) as caught:
            self.call(action, **params)
        return str(caught.value.code)


def assert_complete(model: Any) -> None:
    """No member of an answer is None, save those that the SDK documents as nullable."""
    for name, value in vars(model).items():
        member = name.lstrip("_")
        if member in OPTIONAL | {"CycleParam", "TimedParam"}:
            continue
        assert value is not None, f"{type(model).__name__}.{member} is missing"
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, models.AbstractModel):
                assert_complete(item)


@pytest.fixture(params=SITES)
def site(request, tmp_path):
    world = World(tmp_path, site=request.param)
    with intercepted(world.service):
        yield Site(world, request.param)
    world.close()


def test_every_action_of_the_sdk_is_served():
    """36 actions: none missing, none invented."""
    assert set(ACTIONS) == set(re.findall(r'self\.call\("(\w+)"', inspect.getsource(ses_client)))


def test_every_code_that_the_service_answers_is_the_vendors():
    """A code with a text here is one of the SDK's, or one that every API has."""
    known = {value for name, value in vars(errorcodes).items() if name.isupper()}
    common = (
        "AuthFailure.",
        "InvalidAction",
        "NoSuchVersion",
        "RequestSizeLimitExceeded",
        "UnsupportedProtocol",
        "UnsupportedRegion",
    )
    assert [code for code in MESSAGES if code not in known and not code.startswith(common)] == []


def test_templates_are_made_reviewed_changed_listed_and_deleted(site):
    made = site.call(
        "CreateEmailTemplate", TemplateName="Welcome", TemplateContent={"Html": b64("<p>Hello {{name}}!</p>")}
    )
    got = site.call("GetEmailTemplate", TemplateID=made.TemplateID)
    assert (got.TemplateName, got.TemplateStatus) == ("Welcome", 1)
    assert (got.TemplateContent.Html, got.TemplateContent.Text) == (b64("<p>Hello {{name}}!</p>"), "")
    site.world.clock.advance(4 * 86400)
    assert site.call("GetEmailTemplate", TemplateID=made.TemplateID).TemplateStatus == 0
    listed = site.call("ListEmailTemplates", Limit=10, Offset=0)
    assert listed.TotalCount == 3
    newest = listed.TemplatesMetadata[0]
    assert (newest.TemplateID, newest.TemplateStatus, newest.ReviewReason) == (made.TemplateID, 0, "approved")
    site.call(
        "UpdateEmailTemplate",
        TemplateID=made.TemplateID,
        TemplateName="Hi",
        TemplateContent={"Text": b64("Hello you, {{name}}")},
    )
    changed = site.call("GetEmailTemplate", TemplateID=made.TemplateID)
    assert (changed.TemplateName, changed.TemplateStatus, changed.TemplateContent.Html) == ("Hi", 1, "")
    site.call("DeleteEmailTemplate", TemplateID=made.TemplateID)
    assert site.code("GetEmailTemplate", TemplateID=made.TemplateID) == "InvalidParameterValue.TemplateNotExist"


def test_a_domain_is_made_verified_and_deleted(site):
    made = site.call(
        "CreateEmailIdentity",
        EmailIdentity="news.example.org",
        DKIMOption=2,
        TagList=[{"TagKey": "a", "TagValue": "b"}],
    )
    assert (made.IdentityType, made.VerifiedForSendingStatus, made.DKIMOption) == ("DOMAIN", False, 2)
    assert [(record.Type, record.SendDomain, record.Status, record.CurrentValue) for record in made.Attributes] == [
        ("TXT", "news.example.org", False, ""),
        ("TXT", "mail._domainkey.news.example.org", False, ""),
        ("TXT", "mail2._domainkey.news.example.org", False, ""),
        ("MX", "news.example.org", False, ""),
        ("TXT", "_dmarc.news.example.org", False, ""),
    ]
    sender = {"FromEmailAddress": "a@news.example.org"}
    assert site.code("SendEmail", **MAIL | sender) == "FailedOperation.NotAuthenticatedSender"
    verified = site.call("UpdateEmailIdentity", EmailIdentity="news.example.org")
    assert verified.VerifiedForSendingStatus
    assert all(record.Status and record.CurrentValue == record.ExpectedValue for record in verified.Attributes)
    assert site.call("GetEmailIdentity", EmailIdentity="news.example.org").TagList[0].TagValue == "b"
    assert site.call("SendEmail", **MAIL | sender).MessageId
    listed = site.call("ListEmailIdentities", TagList=[{"TagKey": "a", "TagValue": "b"}], Limit=10, Offset=0)
    assert (listed.Total, listed.MaxReputationLevel, listed.MaxDailyQuota) == (1, 20, 1_000_000)
    (identity,) = listed.EmailIdentities
    assert (identity.IdentityName, identity.SendingEnabled) == ("news.example.org", True)
    assert (identity.CurrentReputationLevel, identity.DailyQuota) == (11, 150_000)
    assert site.call("ListEmailIdentities").Total == 2
    site.call("DeleteEmailIdentity", EmailIdentity="news.example.org")
    assert site.code("GetEmailIdentity", EmailIdentity="news.example.org") == "InvalidParameterValue.NotExistDomain"


def test_sender_addresses_with_password_and_unsubscribe_link(site):
    address = "billing@mail.example.com"
    site.call("CreateEmailAddress", EmailAddress=address, EmailSenderName="Acme billing")
    site.call("UpdateEmailSmtpPassWord", EmailAddress=address, Password="aB3bC4dE5f")
    senders = {sender.EmailAddress: sender for sender in site.call("ListEmailAddress").EmailSenders}
    assert (senders[address].EmailSenderName, senders[address].SmtpPwdType) == ("Acme billing", 1)
    assert senders["noreply@mail.example.com"].SmtpPwdType == 0
    site.call("CreateAddressUnsubscribeConfig", Address=address, UnsubscribeConfig="1", Status=1)
    site.call("UpdateAddressUnsubscribeConfig", Address=address, UnsubscribeConfig="2", Status=0)
    listed = site.call("ListAddressUnsubscribeConfig", Offset=0, Limit="10")
    (config,) = listed.AddressUnsubscribeConfigList
    assert (listed.Total, config.Address, config.UnsubscribeConfig, config.Status) == (1, address, "2", 0)
    site.call("DeleteAddressUnsubscribeConfig", Address=address)
    site.call("DeleteEmailAddress", EmailAddress=address)
    assert address not in {sender.EmailAddress for sender in site.call("ListEmailAddress").EmailSenders}


def test_recipient_lists_are_filled_and_written_to(site):
    receiver_id = site.call("CreateReceiver", ReceiversName="Customers", Desc="who asked for news").ReceiverId
    assert receiver_id != 123
    answer = site.call(
        "CreateReceiverDetail",
        ReceiverId=receiver_id,
        Emails=["a@example.com", "a@example.com", "", "nonsense", "x" * 300 + "@example.com"],
    )
    assert (answer.TotalCount, answer.ValidCount, answer.TooLongCount, answer.EmptyEmailCount, answer.RepeatCount) == (
        5,
        3,
        1,
        1,
        1,
    )
    data = {"Email": "b@example.com", "TemplateData": '{"code": "7"}'}
    assert site.call("CreateReceiverDetailWithData", ReceiverId=receiver_id, Datas=[data]).ValidCount == 1
    (uploading,) = site.call("ListReceivers", Offset=0, Limit=10, Status=2, KeyWord="stom").Data
    assert (uploading.ReceiversName, uploading.Count, uploading.InvalidCount) == ("Customers", 4, 1)
    site.world.clock.advance(3)
    assert [
        found.ReceiversStatus for found in site.call("ListReceivers", Offset=0, Limit=10, KeyWord="Custom").Data
    ] == [3]
    details = site.call("ListReceiverDetails", ReceiverId=receiver_id, Offset=0, Limit=10)
    assert (details.TotalCount, details.ValidCount, details.InvalidCount) == (4, 3, 1)
    assert [(row.Email, row.Status) for row in details.Data] == [
        ("a@example.com", 1),
        ("a@example.com", 1),
        ("nonsense", 2),
        ("b@example.com", 1),
    ]
    assert details.Data[3].TemplateData == '{"code": "7"}'
    task = {name: MAIL[name] for name in ("FromEmailAddress", "Subject", "Template")} | {
        "ReceiverId": receiver_id,
        "TaskType": 1,
    }
    site.call("BatchSendEmail", **task)
    site.world.clock.advance(10)
    (row,) = site.call("ListSendTasks", Offset=0, Limit=10, ReceiverId=receiver_id).Data
    assert (row.TaskStatus, row.RequestCount, row.SendCount) == (10, 3, 3)
    assert [message["to"] for message in site.world.service.messages()] == [
        ["b@example.com"],
        ["a@example.com"],
        ["a@example.com"],
    ]
    site.call("DeleteReceiver", ReceiverId=receiver_id)
    assert (
        site.code("ListReceiverDetails", ReceiverId=receiver_id, Offset=0, Limit=1)
        == "OperationDenied.ReceiverNotExist"
    )


def test_both_blacklists(site):
    world = site.world
    sent = site.call("SendEmail", **MAIL).MessageId
    world.service.provoke(message_id=sent, recipient="ann@example.com", event="hard-bounce")
    listed = site.call("ListBlackEmailAddress", StartDate=world.today(), EndDate=world.today(), Limit=10, Offset=0)
    assert (listed.TotalCount, listed.BlackList[0].EmailAddress) == (1, "ann@example.com")
    assert listed.BlackList[0].IspDesc.startswith("551 5.1.1")
    assert listed.BlackList[0].BounceTime.startswith(world.today())
    assert site.code("SendEmail", **MAIL) == "FailedOperation.EmailAddrInBlacklist"
    site.call("DeleteBlackList", EmailAddressList=["ANN@example.com"])
    assert site.call("SendEmail", **MAIL).MessageId
    made = site.call(
        "CreateCustomBlacklist", Emails=["ann@example.com", "Ann@example.com", "nonsense"], ExpireDate=world.today(1)
    )
    assert (made.TotalCount, made.ValidCount, made.RepeatCount, made.InvalidCount, made.TooLongCount) == (3, 1, 1, 1, 0)
    assert site.code("SendEmail", **MAIL) == "FailedOperation.EmailAddrInBlacklist"
    (entry,) = site.call("ListCustomBlacklist", Offset=0, Limit=10, Status=1, Email="ann@").Data
    assert (entry.Email, entry.Status) == ("ann@example.com", 1)
    site.call("UpdateCustomBlackList", Id=entry.Id, Email="bob@example.com", ExpireDate="")
    assert site.call("SendEmail", **MAIL).MessageId
    assert site.call("ListCustomBlacklist", Offset=0, Limit=10).Data[0].ExpireDate == ""
    site.call("DeleteCustomBlackList", Emails=["bob@example.com"])
    assert site.call("ListCustomBlacklist", Offset=0, Limit=10, Status=2).TotalCount == 0


def test_reports_tell_what_happened(site):
    world = site.world
    for name in ("click", "hard-bounce", "complaint", "unsubscribe", "blacklist"):
        site.call("SendEmail", **MAIL | {"Destination": [f"{name}@simulator.mailtrail.test"]})
    world.clock.advance(10)
    report = site.call(
        "GetStatisticsReport",
        StartDate=world.today(-2),
        EndDate=world.today(),
        Domain="mail.example.com",
        ReceivingMailboxType="simulator.mailtrail.test",
    )
    volume = report.OverallVolume
    assert volume.SendDate == world.today(-2)
    assert (volume.RequestCount, volume.AcceptedCount, volume.DeliveredCount, volume.BounceCount) == (5, 4, 3, 1)
    assert (volume.OpenedCount, volume.ClickedCount, volume.UnsubscribeCount) == (1, 1, 1)
    assert sum(day.RequestCount for day in report.DailyVolumes) == 5
    abuse = site.call(
        "GetAbuseReport",
        StartTime=world.today(-1),
        EndTime=world.today(),
        FromDomain="mail.example.com",
        Mta="simulator.mailtrail.test",
        TemplateId="100091",
    )
    (complaint,) = abuse.Data
    assert (abuse.TotalCount, complaint.OriginalRcptTo) == (1, "complaint@simulator.mailtrail.test")
    assert complaint.BulkId in {message["message_id"] for message in world.service.messages()}
