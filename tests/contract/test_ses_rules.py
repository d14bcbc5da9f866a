"""The rules that remember: hourly limit, blacklists, unsubscribed recipients, quota and reputation. On as documented."""

from __future__ import annotations

import pytest

from localcloud.ses.reputation import QUOTAS, Day
from tests.contract.ses_door import MAIL, World

SIMULATOR = "simulator.mailtrail.test"


@pytest.fixture
def world(tmp_path):
    """Open an account as it is born, at noon of a day of UTC+8."""
    opened = World(tmp_path, switches={})
    opened.clock.move_to((int(opened.clock.now()) // 86400) * 86400 + 4 * 3600)
    yield opened
    opened.close()


def to(*people: str) -> dict[str, object]:
    return MAIL | {"Destination": list(people)}


def level(world: World) -> tuple[int, int]:
    (identity,) = world.call("ListEmailIdentities", {})["EmailIdentities"]
    return identity["CurrentReputationLevel"], identity["DailyQuota"]


def send_many(world: World, count: int, *, outcome: str = "delivered") -> None:
    """Send to ``count`` ordinary people, ten at a time, and let ``outcome`` befall each."""
    for start in range(0, count, 50):
        people = [f"{outcome}{world.clock.now():.6f}-{n}@example.com" for n in range(start, min(start + 50, count))]
        message_id = world.send(*people)
        if outcome != "delivered":
            world.clock.advance(2)
            for person in people:
                world.service.provoke(message_id=message_id, recipient=person, event=outcome)
    world.clock.advance(2)
    world.service.pump()


def test_ten_mails_an_hour_to_one_address(world):
    """The eleventh is FrequencyLimit, whatever the letter case; an hour later the address may be written to again."""
    for _ in range(10):
        assert world.code("SendEmail", MAIL) == ""
    assert world.code("SendEmail", to("ANN@example.com")) == "FailedOperation.FrequencyLimit"
    assert world.code("SendEmail", to("bob@example.com")) == ""
    world.clock.advance(3601)
    assert world.code("SendEmail", MAIL) == ""


def test_simulator_addresses_know_no_hourly_limit_unless_a_switch_says_so(world):
    address = f"delivered@{SIMULATOR}"
    assert {world.code("SendEmail", to(address)) for _ in range(15)} == {""}
    world.service.switches.update({"simulator_is_exempt": False})
    assert world.code("SendEmail", to(address)) == "FailedOperation.FrequencyLimit"


def test_a_hard_bounce_blocks_an_address_for_fourteen_days(world):
    """A soft bounce does not; nor does a hard one at the simulator."""
    for event, code in (("soft-bounce", ""), ("hard-bounce", "FailedOperation.EmailAddrInBlacklist")):
        message_id = world.send()
        world.service.provoke(message_id=message_id, recipient="ann@example.com", event=event)
        assert world.code("SendEmail", MAIL) == code
    world.send(f"hard-bounce@{SIMULATOR}")
    world.clock.advance(14 * 86400 - 60)
    assert world.code("SendEmail", MAIL) == "FailedOperation.EmailAddrInBlacklist"
    assert world.code("SendEmail", to(f"hard-bounce@{SIMULATOR}")) == ""
    world.clock.advance(61)
    assert world.code("SendEmail", MAIL) == ""
    query = {"StartDate": world.today(-20), "EndDate": world.today(), "Limit": 10, "Offset": 0}
    assert world.call("ListBlackEmailAddress", query)["TotalCount"] == 0


def test_what_is_yet_to_come_refuses_nobody(world):
    """A clock moved back: mails of the future do not count as recent, nor does a bounce block before it happened."""
    for _ in range(10):
        assert world.code("SendEmail", MAIL) == ""
    world.service.provoke(message_id=world.send("bob@example.com"), recipient="bob@example.com", event="hard-bounce")
    assert world.code("SendEmail", to("bob@example.com")) == "FailedOperation.EmailAddrInBlacklist"
    assert world.code("SendEmail", MAIL) == "FailedOperation.FrequencyLimit"
    world.clock.advance(-1800)
    assert [world.code("SendEmail", to(who)) for who in ("ann@example.com", "bob@example.com")] == ["", ""]


def test_the_simulators_bounces_block_too_when_they_are_not_exempt(world):
    world.service.switches.update({"simulator_is_exempt": False})
    world.send(f"hard-bounce@{SIMULATOR}")
    world.clock.advance(2)
    assert world.code("SendEmail", to(f"hard-bounce@{SIMULATOR}")) == "FailedOperation.EmailAddrInBlacklist"


def test_an_entry_of_the_custom_blacklist_expires(world):
    """A day is good to its end, a second to that second; an expired entry is listed as such and may be made anew."""
    assert (
        world.call("CreateCustomBlacklist", {"Emails": ["ann@example.com"], "ExpireDate": world.today()})["ValidCount"]
        == 1
    )
    assert world.code("SendEmail", MAIL) == "FailedOperation.EmailAddrInBlacklist"
    world.clock.advance(13 * 3600)
    assert world.code("SendEmail", MAIL) == ""
    counts = [
        world.call("ListCustomBlacklist", {"Offset": 0, "Limit": 1, "Status": n})["TotalCount"] for n in (0, 1, 2)
    ]
    assert counts == [1, 0, 1]
    assert world.call("CreateCustomBlacklist", {"Emails": ["ann@example.com"]})["ValidCount"] == 1
    world.clock.advance(900 * 86400)
    assert world.code("SendEmail", MAIL) == "FailedOperation.EmailAddrInBlacklist"


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("CreateCustomBlacklist", {"Emails": []}, "MissingParameter.EmailsNecessary"),
        (
            "CreateCustomBlacklist",
            {"Emails": ["a@example.com"], "ExpireDate": "soon"},
            "InvalidParameterValue.WrongDate",
        ),
        ("UpdateCustomBlackList", {"Id": 9, "Email": "a@example.com"}, "ResourceNotFound"),
        ("UpdateCustomBlackList", {"Id": 9, "Email": "a"}, "InvalidParameterValue.IllegalEmailAddress"),
        ("DeleteCustomBlackList", {}, "MissingParameter.EmailsNecessary"),
        ("ListCustomBlacklist", {"Offset": 0, "Limit": 1, "Status": 3}, "InvalidParameterValue"),
        ("ListCustomBlacklist", {"Offset": 0, "Limit": 101}, "FailedOperation.InvalidLimit"),
        ("DeleteBlackList", {"EmailAddressList": []}, "MissingParameter"),
        ("DeleteBlackList", {"EmailAddressList": ["stranger@example.com"]}, ""),
        (
            "ListBlackEmailAddress",
            {"StartDate": "2026-01-02", "EndDate": "2026-01-01", "Limit": 1, "Offset": 0},
            "InvalidParameterValue.WrongDate",
        ),
    ],
)
def test_each_refusal_of_the_blacklists(world, action, params, code):
    assert world.code(action, params) == code


def test_who_unsubscribed_is_refused_by_that_domain_only(world):
    message_id = world.send()
    world.service.provoke(message_id=message_id, recipient="ann@example.com", event="unsubscribe")
    assert world.code("SendEmail", MAIL) == "FailedOperation.ReceiverHasUnsubscribed"
    world.call("CreateEmailIdentity", {"EmailIdentity": "other.example.com"})
    world.call("UpdateEmailIdentity", {"EmailIdentity": "other.example.com"})
    assert world.code("SendEmail", MAIL | {"FromEmailAddress": "a@other.example.com"}) == ""


def test_in_a_mail_to_many_only_the_refused_one_stays_without(world):
    """The row says 1007 or 1013, a dropped event tells why, the others get their mail; all refused is an error."""
    first = world.send("gone@example.com", "annoyed@example.com")
    world.service.provoke(message_id=first, recipient="gone@example.com", event="hard-bounce")
    world.service.provoke(message_id=first, recipient="annoyed@example.com", event="unsubscribe")
    assert (
        world.code("SendEmail", to("gone@example.com", "annoyed@example.com")) == "FailedOperation.EmailAddrInBlacklist"
    )
    message_id = world.send("gone@example.com", "annoyed@example.com", "ann@example.com")
    world.clock.advance(2)
    rows = {
        row["ToEmailAddress"]: (row["SendStatus"], row["DeliverStatus"]) for row in world.rows(MessageId=message_id)
    }
    assert rows == {"gone@example.com": (1007, 2), "annoyed@example.com": (1013, 2), "ann@example.com": (0, 1)}
    events = {p["email"]: p["event"] for p in world.payloads() if p["bulkId"] == message_id}
    assert events == {"gone@example.com": "dropped", "annoyed@example.com": "dropped", "ann@example.com": "delivered"}


def test_the_daily_quota_is_per_domain_and_day(world):
    """Level 1: 500 recipients; what does not fit is refused whole; the next day of UTC+8 begins anew."""
    world.service.switches.update({"reputation_level": 1})
    assert level(world) == (1, 500)
    for start in range(0, 450, 50):
        world.send(*(f"delivered+{start + n}@{SIMULATOR}" for n in range(50)))
    world.send(*(f"delivered+{450 + n}@{SIMULATOR}" for n in range(49)))
    assert world.code("SendEmail", to("a@example.com", "b@example.com")) == "FailedOperation.ExceedSendLimit"
    assert world.code("SendEmail", to("a@example.com")) == ""
    assert world.code("SendEmail", to("b@example.com")) == "FailedOperation.ExceedSendLimit"
    world.clock.advance(12 * 3600 + 1)
    assert world.code("SendEmail", to("b@example.com")) == ""


def test_a_domain_that_uses_its_quota_well_rises_at_once_and_once_a_day(world):
    world.service.switches.update({"reputation_level": 1})
    send_many(world, 350)
    assert level(world) == (2, 1000)
    send_many(world, 600)
    assert level(world) == (2, 1000)
    world.clock.advance(86400)
    send_many(world, 700)
    assert level(world) == (3, 2000)


def test_a_domain_that_bounces_is_banned_for_the_day_and_falls_the_next(world):
    """More than 300 sent and more than 11 % invalid: HighRejectionRate until midnight, then one level less."""
    send_many(world, 280)
    send_many(world, 40, outcome="hard-bounce")
    assert world.code("SendEmail", to("a@example.com")) == "FailedOperation.HighRejectionRate"
    assert level(world)[0] == 11
    world.clock.advance(86400)
    assert level(world) == (10, 100_000)
    assert world.code("SendEmail", to("a@example.com")) == ""


def test_levels_stand_still_when_they_are_told_to(world):
    world.service.switches.update({"reputation_moves": False})
    send_many(world, 280)
    send_many(world, 40, outcome="hard-bounce")
    assert world.code("SendEmail", to("a@example.com")) == ""
    world.clock.advance(86400)
    assert level(world)[0] == 11


def test_the_table_of_levels():
    """L1 500 … L20 1 000 000, 100 000 a level from L13 on."""
    assert (len(QUOTAS), QUOTAS[0], QUOTAS[10], QUOTAS[12], QUOTAS[19]) == (20, 500, 150_000, 300_000, 1_000_000)
    assert list(QUOTAS) == sorted(QUOTAS)


@pytest.mark.parametrize(
    ("day", "rises", "falls", "banned"),
    [
        (Day(judged=349, delivered=349), False, False, False),
        (Day(judged=350, delivered=350), True, False, False),
        (Day(judged=400, delivered=366, invalid=19), False, False, False),
        (Day(judged=400, delivered=369, invalid=19), True, False, False),
        (Day(judged=400, delivered=369, invalid=19, complained=1), False, False, False),
        (Day(judged=400, delivered=365, invalid=30, opened=201), True, False, False),
        (Day(judged=400, delivered=380, spam=10), False, False, False),
        (Day(judged=300, invalid=300), False, False, False),
        (Day(judged=400, delivered=360, invalid=37), False, True, False),
        (Day(judged=400, delivered=259), False, True, False),
        (Day(judged=400, delivered=370, spam=21), False, True, False),
        (Day(judged=400, delivered=400, complained=3), False, True, False),
        (Day(judged=400, delivered=350, invalid=45), False, True, True),
        (Day(judged=400, delivered=335, spam=61), False, True, True),
    ],
)
def test_the_documented_thresholds(day, rises, falls, banned):
    """Quota 500: 70 % of it, and the rates of the page on reputation levels."""
    assert (day.rises(500), day.falls(), day.is_banned()) == (rises, falls, banned)


def test_rows_of_history_use_up_no_quota(world):
    world.service.switches.update({"reputation_level": 1})
    world.service.seed(day=world.today(), messages=2000, tasks=0, seed=1)
    assert world.code("SendEmail", MAIL) == ""
    assert level(world) == (1, 500)


def test_only_created_senders_may_send_when_the_account_is_strict(world):
    world.service.switches.update({"senders": "created"})
    assert world.code("SendEmail", MAIL) == ""
    stranger = MAIL | {"FromEmailAddress": "stranger@mail.example.com"}
    assert world.code("SendEmail", stranger) == "FailedOperation.NotAuthenticatedSender"
    world.call("CreateEmailAddress", {"EmailAddress": "stranger@mail.example.com"})
    assert world.code("SendEmail", stranger) == ""
