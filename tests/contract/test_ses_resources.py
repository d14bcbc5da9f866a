"""Domains, sender addresses, recipient lists and reports: every refusal with its documented code, every limit."""

from __future__ import annotations

import time

import pytest

from tests.contract.ses_door import MAIL, World

TASK = {name: MAIL[name] for name in ("FromEmailAddress", "Subject", "Template")} | {"TaskType": 1}


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("CreateEmailIdentity", {"EmailIdentity": "not a domain"}, "InvalidParameterValue.InvalidEmailIdentity"),
        ("CreateEmailIdentity", {"EmailIdentity": "x" * 250 + ".com"}, "InvalidParameterValue.InvalidEmailIdentity"),
        ("CreateEmailIdentity", {"EmailIdentity": "MAIL.example.com"}, "InvalidParameterValue.RepeatCreation"),
        ("CreateEmailIdentity", {"EmailIdentity": "a.example.org", "DKIMOption": 3}, "InvalidParameterValue"),
        ("CreateEmailIdentity", {"EmailIdentity": "a.example.org", "TagList": [{"TagKey": 1}]}, "InvalidParameter"),
        ("CreateEmailIdentity", {}, "MissingParameter"),
        ("GetEmailIdentity", {"EmailIdentity": "a.example.org"}, "InvalidParameterValue.NotExistDomain"),
        ("UpdateEmailIdentity", {"EmailIdentity": "a.example.org"}, "InvalidParameterValue.NotExistDomain"),
        ("DeleteEmailIdentity", {"EmailIdentity": "a.example.org"}, "InvalidParameterValue.NotExistDomain"),
        ("DeleteEmailIdentity", {"EmailIdentity": "mail.example.com"}, "OperationDenied.SenderWithDomainIsNotEmpty"),
        ("CreateEmailAddress", {"EmailAddress": "nonsense"}, "InvalidParameterValue.IllegalEmailAddress"),
        ("CreateEmailAddress", {"EmailAddress": "a@other.example"}, "InvalidParameterValue.NotExistDomain"),
        (
            "CreateEmailAddress",
            {"EmailAddress": "NoReply@mail.example.com"},
            "InvalidParameterValue.RepeatEmailAddress",
        ),
        (
            "CreateEmailAddress",
            {"EmailAddress": "a@mail.example.com", "EmailSenderName": "a:b"},
            "InvalidParameterValue.IllegalSenderName",
        ),
        ("DeleteEmailAddress", {"EmailAddress": "a@mail.example.com"}, "InvalidParameterValue.NoSuchSender"),
        (
            "UpdateEmailSmtpPassWord",
            {"EmailAddress": "a@mail.example.com", "Password": "aB3bC4dE5f"},
            "InvalidParameterValue.NoSuchSender",
        ),
        (
            "UpdateEmailSmtpPassWord",
            {"EmailAddress": "noreply@mail.example.com", "Password": "short1A"},
            "InvalidParameterValue.InvalidSmtpPassWord",
        ),
        (
            "UpdateEmailSmtpPassWord",
            {"EmailAddress": "noreply@mail.example.com", "Password": "aaaaBBBB1111"},
            "InvalidParameterValue.InvalidSmtpPassWord",
        ),
        (
            "CreateAddressUnsubscribeConfig",
            {"Address": "a@mail.example.com", "UnsubscribeConfig": "1", "Status": 1},
            "InvalidParameterValue.NoSuchSender",
        ),
        (
            "CreateAddressUnsubscribeConfig",
            {"Address": "noreply@mail.example.com", "UnsubscribeConfig": "99", "Status": 1},
            "InvalidParameterValue",
        ),
        (
            "UpdateAddressUnsubscribeConfig",
            {"Address": "noreply@mail.example.com", "UnsubscribeConfig": "1", "Status": 1},
            "ResourceNotFound",
        ),
        ("DeleteAddressUnsubscribeConfig", {"Address": "noreply@mail.example.com"}, "ResourceNotFound"),
        ("ListAddressUnsubscribeConfig", {"Offset": 0, "Limit": "101"}, "FailedOperation.InvalidLimit"),
        ("CreateReceiver", {"ReceiversName": ""}, "InvalidParameterValue.ReceiverNameIllegal"),
        ("CreateReceiver", {"ReceiversName": "a<b"}, "InvalidParameterValue.ReceiverNameIllegal"),
        ("CreateReceiver", {"ReceiversName": "Local people"}, "InvalidParameterValue.RepeatReceiverName"),
        ("CreateReceiver", {"ReceiversName": "a", "Desc": "x" * 301}, "InvalidParameterValue.ReceiverDescIllegal"),
        ("CreateReceiverDetail", {"ReceiverId": 9, "Emails": ["a@example.com"]}, "OperationDenied.ReceiverNotExist"),
        ("CreateReceiverDetail", {"Emails": ["a@example.com"]}, "MissingParameter.ReceiverIdNecessary"),
        ("CreateReceiverDetail", {"ReceiverId": 123, "Emails": []}, "MissingParameter.EmailsNecessary"),
        (
            "CreateReceiverDetail",
            {"ReceiverId": 123, "Emails": ["a@example.com"] * 20_001},
            "LimitExceeded.ReceiverDetailRequestLimit",
        ),
        (
            "CreateReceiverDetailWithData",
            {"ReceiverId": 123, "Datas": [{"Email": "a@example.com", "TemplateData": "x"}]},
            "InvalidParameterValue.TemplateDataError",
        ),
        (
            "CreateReceiverDetailWithData",
            {"ReceiverId": 123, "Datas": [{"Email": "a@example.com", "TemplateData": '{"a": "<b>x</b>"}'}]},
            "InvalidParameterValue.InValidTemplateData",
        ),
        (
            "CreateReceiverDetailWithData",
            {"ReceiverId": 123, "Datas": [{"Email": "a@example.com", "TemplateData": '{"a": "' + "x" * 800 + '"}'}]},
            "InvalidParameterValue.TemplateDataLenLimit",
        ),
        (
            "CreateReceiverDetailWithData",
            {
                "ReceiverId": 123,
                "Datas": [
                    {"Email": "a@example.com", "TemplateData": '{"a": "1"}'},
                    {"Email": "b@example.com", "TemplateData": '{"b": "1"}'},
                ],
            },
            "InvalidParameterValue.TemplateDataInconsistent",
        ),
        (
            "ListReceiverDetails",
            {"ReceiverId": 123, "Offset": 0, "Limit": 1, "CreateTimeBegin": "soon"},
            "InvalidParameterValue",
        ),
        ("DeleteReceiver", {"ReceiverId": 9}, "OperationDenied.ReceiverNotExist"),
        (
            "GetStatisticsReport",
            {"StartDate": "2026-01-02", "EndDate": "2026-01-01"},
            "InvalidParameterValue.WrongDate",
        ),
        (
            "GetStatisticsReport",
            {"StartDate": "2026-01-01", "EndDate": "2027-01-02"},
            "InvalidParameterValue.WrongDate",
        ),
        ("GetStatisticsReport", {"StartDate": "yesterday", "EndDate": "2026-01-01"}, "InvalidParameterValue.WrongDate"),
        ("GetAbuseReport", {"StartTime": "soon", "EndTime": "2026-01-01"}, "InvalidParameter.InvalidStartTimeFormat"),
        (
            "GetAbuseReport",
            {"StartTime": "2026-01-01 00:00:00", "EndTime": "never"},
            "InvalidParameter.InvalidEndTimeFormat",
        ),
        (
            "GetAbuseReport",
            {"StartTime": "2026-01-01", "EndTime": "2026-01-02", "Limit": 1001},
            "FailedOperation.InvalidLimit",
        ),
    ],
)
def test_each_refusal(world, action, params, code):
    assert world.code(action, params) == code


def test_ten_domains_and_ten_senders_each(world):
    for number in range(9):
        assert world.code("CreateEmailIdentity", {"EmailIdentity": f"d{number}.example.org"}) == ""
    assert world.code("CreateEmailIdentity", {"EmailIdentity": "d9.example.org"}) == "OperationDenied.ExceedDomainLimit"
    for number in range(9):
        assert world.code("CreateEmailAddress", {"EmailAddress": f"s{number}@mail.example.com"}) == ""
    assert (
        world.code("CreateEmailAddress", {"EmailAddress": "s9@mail.example.com"}) == "OperationDenied.ExceedSenderLimit"
    )
    assert world.code("CreateEmailAddress", {"EmailAddress": "a@d1.example.org"}) == "OperationDenied.DomainNotVerified"


def test_the_same_password_twice_is_refused(world):
    change = {"EmailAddress": "noreply@mail.example.com", "Password": "aB3bC4dE5f"}
    assert world.code("UpdateEmailSmtpPassWord", change) == ""
    assert world.code("UpdateEmailSmtpPassWord", change) == "OperationDenied.RepeatPassWord"
    assert world.code("UpdateEmailSmtpPassWord", change | {"Password": "aB3bC4dE5g"}) == ""


def test_dkim_keys_are_rsa_keys_of_the_length_asked_for(world):
    """SubjectPublicKeyInfo in base64: 162 bytes for 1024 bits, 294 for 2048."""
    lengths = []
    for option in (0, 1):
        domain = f"d{option}.example.org"
        records = world.call("CreateEmailIdentity", {"EmailIdentity": domain, "DKIMOption": option})["Attributes"]
        (key,) = [record["ExpectedValue"] for record in records if "_domainkey" in record["SendDomain"]]
        lengths.append(len(key.removeprefix("k=rsa;p=")))
    assert lengths == [216, 392]


def test_a_list_takes_fifty_thousand_addresses_and_is_busy_while_they_are_uploaded(world):
    receiver_id = world.call("CreateReceiver", {"ReceiversName": "Many"})["ReceiverId"]
    assert world.code("BatchSendEmail", TASK | {"ReceiverId": receiver_id}) == "OperationDenied.ReceiverStatusError"
    for start in (0, 20_000):
        people = [f"p{start + n}@example.com" for n in range(20_000)]
        assert world.call("CreateReceiverDetail", {"ReceiverId": receiver_id, "Emails": people})["ValidCount"] == 20_000
    assert world.code("BatchSendEmail", TASK | {"ReceiverId": receiver_id}) == "OperationDenied.ReceiverStatusError"
    assert world.code("DeleteReceiver", {"ReceiverId": receiver_id}) == "OperationDenied.ReceiverIsOperating"
    people = [f"q{n}@example.com" for n in range(10_001)]
    full = {"ReceiverId": receiver_id, "Emails": people}
    assert world.code("CreateReceiverDetail", full) == "LimitExceeded.ReceiverDetailCountLimit"
    world.clock.advance(3)
    found = world.call("ListReceiverDetails", {"ReceiverId": receiver_id, "Offset": 0, "Limit": 1, "Email": "p39999@"})
    assert found["TotalCount"] == 1
    assert world.code("DeleteReceiver", {"ReceiverId": receiver_id}) == ""


def test_details_are_found_by_time_and_state(world):
    receiver_id = world.call("CreateReceiver", {"ReceiversName": "Some"})["ReceiverId"]
    world.call("CreateReceiverDetail", {"ReceiverId": receiver_id, "Emails": ["a@example.com", "nonsense"]})
    query = {"ReceiverId": receiver_id, "Offset": 0, "Limit": 10}
    (wrong,) = world.call("ListReceiverDetails", query | {"Status": 2})["Data"]
    assert (wrong["Email"], wrong["Reason"]) == ("nonsense", "the address is malformed")
    assert (
        world.call(
            "ListReceiverDetails",
            query | {"CreateTimeBegin": wrong["CreateTime"], "CreateTimeEnd": wrong["CreateTime"]},
        )["TotalCount"]
        == 2
    )
    assert world.call("ListReceiverDetails", query | {"CreateTimeEnd": "2020-01-01 00:00:00"})["TotalCount"] == 0


def test_a_report_adds_up_to_the_rows(world):
    """Days without mail are left out; the parts by mailbox type sum up to the whole."""
    for days in (-3, -1):
        world.service.seed(day=world.today(days), messages=2000, tasks=0, seed=days + 5)
    report = world.call("GetStatisticsReport", {"StartDate": world.today(-5), "EndDate": world.today()})
    assert [volume["SendDate"] for volume in report["DailyVolumes"]] == [world.today(-3), world.today(-1)]
    rows = [row for page in range(20) for row in world.rows(RequestDate=world.today(-3), Offset=page * 100)]
    assert report["DailyVolumes"][0] == {
        "SendDate": world.today(-3),
        "RequestCount": 2000,
        "AcceptedCount": sum(row["SendStatus"] == 0 for row in rows),
        "DeliveredCount": sum(row["DeliverStatus"] == 1 for row in rows),
        "OpenedCount": sum(row["UserOpened"] for row in rows),
        "ClickedCount": sum(row["UserClicked"] for row in rows),
        "BounceCount": sum(row["DeliverStatus"] == 3 for row in rows),
        "UnsubscribeCount": sum(row["UserUnsubscribed"] for row in rows),
    }
    mailboxes = {row["ToEmailAddress"].rpartition("@")[2] for row in rows}
    day = {"StartDate": world.today(-3), "EndDate": world.today(-3)}
    parts = [world.call("GetStatisticsReport", day | {"ReceivingMailboxType": mailbox}) for mailbox in mailboxes]
    assert sum(part["OverallVolume"]["DeliveredCount"] for part in parts) == report["DailyVolumes"][0]["DeliveredCount"]
    empty = world.call("GetStatisticsReport", day | {"Domain": "other.example"})
    assert (empty["DailyVolumes"], empty["OverallVolume"]["RequestCount"]) == ([], 0)
    abuse = world.call("GetAbuseReport", {"StartTime": world.today(-5), "EndTime": world.today()})
    assert abuse["TotalCount"] == len(abuse["Data"]) > 0


def test_openings_are_counted_each_time_and_clicks_once_a_person(world):
    message_id = world.send("ann@example.com")
    for _ in range(3):
        for event in ("open", "click"):
            world.service.provoke(message_id=message_id, recipient="ann@example.com", event=event)
    volume = world.call("GetStatisticsReport", {"StartDate": world.today(), "EndDate": world.today()})["OverallVolume"]
    assert (volume["OpenedCount"], volume["ClickedCount"]) == (3, 1)


def test_a_report_does_not_read_the_rows(world):
    """A report over 200 000 rows takes no longer than ten times one over a thousand (it would be 200)."""
    took_s = []
    for days, count in ((-2, 1000), (-1, 200_000)):
        world.service.seed(day=world.today(days), messages=count, tasks=0, seed=1)
        best_s = 60.0
        for _ in range(5):
            began = time.perf_counter()
            world.call("GetStatisticsReport", {"StartDate": world.today(days), "EndDate": world.today(days)})
            best_s = min(best_s, time.perf_counter() - began)
        took_s.append(best_s)
    assert took_s[1] < 10 * took_s[0]
