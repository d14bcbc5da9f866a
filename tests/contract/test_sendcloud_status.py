"""data/emailStatus: what may be asked, and how oddly it is answered."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.defaults import SIMULATOR_DOMAIN
from localcloud.exchange import Request
from tests.contract.sendcloud_door import KEY, USER, World


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def at(name: str) -> str:
    return f"{name}@{SIMULATOR_DOMAIN}"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("prefix", ["apiv2", "api"])
def test_the_sample_of_the_documentation(world, method, prefix):
    """`total` a text, `voListSize` a number, statuses in Chinese, both spellings of the description, local times."""
    world.send(at("delivered"))
    world.send(at("hard-bounce"))
    world.clock.advance(5)
    answer = world.status(days="1", method=method, prefix=prefix)
    assert (answer["result"], answer["statusCode"], answer["message"]) == (True, 200, "请求成功")
    assert (answer["info"]["total"], answer["info"]["voListSize"]) == ("2", 2)
    delivered, invalid = answer["info"]["voList"]
    assert set(delivered) == set(
        "emailId status subStatus subStatusDesc apiUser recipients requestTime modifiedTime sendLog".split()
    )
    assert (delivered["status"], delivered["subStatus"], delivered["subStatusDesc"]) == ("送达", None, None)
    assert (delivered["sendLog"], delivered["apiUser"]) == ("successfully delivered", USER)
    assert (invalid["status"], invalid["subStatus"], invalid["subStatDesc"]) == ("无效邮件", "406", "地址不存在")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", delivered["modifiedTime"])
    assert delivered["modifiedTime"] > delivered["requestTime"]


@pytest.mark.parametrize(
    ("name", "status", "sub_status"),
    [
        ("delivered", "送达", None),
        ("unknown-user", "无效邮件", "406"),
        ("blacklist", "无效邮件", "401"),
        ("dropped", "无效邮件", "407"),
        ("soft-bounce", "软退信", "509"),
        ("deferred", "请求中", None),
        ("complaint", "送达", None),
    ],
)
def test_each_outcome(world, name, status, sub_status):
    world.send(at(name))
    world.clock.advance(10)
    (row,) = world.status(days="1")["info"]["voList"]
    assert (row["status"], row["subStatus"], row["recipients"]) == (status, sub_status, at(name))


def test_a_deferral_ends_as_a_soft_bounce(world):
    world.send(at("deferred"))
    world.clock.advance(72 * 3600 + 1)
    (row,) = world.status(days="4")["info"]["voList"]
    assert (row["status"], row["subStatus"]) == ("软退信", "503")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"apiKey": "wrong"}, 40005),
        ({"apiUser": "stranger"}, 40005),
        ({"apiUser": "", "apiKey": ""}, 40005),
        ({"days": None}, 40006),
        ({"days": "0"}, 40006),
        ({"days": "x"}, 40006),
        ({"days": "31"}, 40006),
        ({"days": "30"}, 200),
        ({"startDate": "2026/01/01", "endDate": "2026-01-01"}, 40007),
        ({"startDate": "-3"}, 40008),
        ({"startDate": "0", "endDate": "x"}, 40008),
        ({"endDate": "0"}, 40007),
        ({"startDate": "-29", "endDate": "0"}, 200),
        ({"startDate": "-30", "endDate": "0"}, 40008),
        ({"startDate": "0", "endDate": "-1"}, 40008),
        ({"startDate": "-91", "endDate": "-90"}, 40007),
        ({"start": ""}, 40001),
        ({"start": "-1"}, 40002),
        ({"limit": ""}, 40003),
        ({"limit": "101"}, 40004),
        ({"limit": "100"}, 200),
        ({"email": ""}, 40011),
        ({"email": "nobody"}, 40012),
        ({"labelId": "x"}, 40015),
        ({"apiUserList": "stranger"}, 40016),
    ],
)
def test_each_documented_refusal(world, params, code):
    given_dates = {
        name: world.day(int(value)) if name.endswith("Date") and re.fullmatch(r"-?\d+", value) else value
        for name, value in params.items()
        if value is not None
    }
    base = {} if {"startDate", "endDate", "days"} & set(params) else {"days": "1"}
    answer = world.status(**(base | given_dates))
    assert (answer["statusCode"], answer["result"]) == (code, code == 200)


def test_the_other_hosts_allow_three_days_only(world):
    """/apiv2 takes 30 days in one query, /api three."""
    assert world.status(days="3", prefix="api")["statusCode"] == 200
    assert world.status(days="4", prefix="api")["statusCode"] == 40006
    assert world.status(startDate=world.day(-3), endDate=world.day(0), prefix="api")["statusCode"] == 40008


def test_filters_and_pages(world):
    """Status repeated, subStatus and emailIds by semicolon, email; total counts all, the list is the page."""
    ids = [world.send(at(name))[0] for name in ("delivered", "hard-bounce", "blacklist", "soft-bounce", "deferred")]
    world.clock.advance(5)

    def found(**params: object) -> list[str]:
        return [row["emailId"] for row in world.status(days="1", **params)["info"]["voList"]]

    assert found() == ids
    assert found(status=["1", "4"]) == ids[:3]
    assert found(status="18") == [ids[4]]
    assert found(subStatus="401;509") == ids[2:4]
    assert found(emailIds=f"{ids[0]};{ids[4]}") == [ids[0], ids[4]]
    assert found(email=at("blacklist")) == [ids[2]]
    assert found(status="nonsense") == []
    assert found(labelName="any") == []
    page = world.status(days="1", start="1", limit="2")["info"]
    assert (page["total"], page["voListSize"], [row["emailId"] for row in page["voList"]]) == ("5", 2, ids[1:3])
    assert world.status(days="1", emailIds=";".join(map(str, range(1001))))["statusCode"] == 501


def test_an_answer_is_cached_for_ten_minutes_per_parameters(world):
    """The same question hears the same answer for ten minutes of the clock, another question a fresh one."""
    assert world.status(days="1")["info"]["total"] == "0"
    world.send("a@example.com")
    world.clock.advance(590)
    assert world.status(days="1")["info"]["total"] == "0"
    assert world.status(days="1", limit="99")["info"]["total"] == "1"
    world.clock.advance(11)
    assert world.status(days="1")["info"]["total"] == "1"


def test_above_3000_calls_a_minute_the_body_spells_statuscode(tmp_path):
    world = World(tmp_path, per_minute=3)
    assert [world.status(days="1")["statusCode"] for _ in range(3)] == [200] * 3
    answer = world.status(days="1")
    assert answer == {"result": False, "statuscode": 50000, "message": "interface frequency is limited", "info": {}}
    world.close()


def test_a_seeded_day_is_the_same_for_the_same_seed(tmp_path):
    days = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        assert world.service.seed(day=world.day(-1), messages=500, seed=seed) == {"messages": 500}
        window = {"startDate": world.day(-1), "endDate": world.day(-1)}
        days.append([row for n in range(5) for row in world.status(**window, start=str(n * 100))["info"]["voList"]])
        assert world.status(**window)["info"]["total"] == "500"
        assert world.callbacks.pending() == 0
        world.close()
    assert days[0] == days[1] != days[2]
    assert {row["status"] for row in days[0]} >= {"送达", "无效邮件", "软退信"}
    assert [row["requestTime"] for row in days[0]] == sorted(row["requestTime"] for row in days[0])


def test_a_seed_forgets_cached_answers(world):
    """Who seeds a day sees it, also who asked for it a moment ago."""
    assert world.status(days="2")["info"]["total"] == "0"
    world.service.seed(day=world.day(-1), messages=7, seed=1)
    assert world.status(days="2")["info"]["total"] == "7"


def test_reset_forgets_mails_and_cached_answers(world):
    world.send("a@example.com")
    assert world.status(days="1")["info"]["total"] == "1"
    world.service.reset()
    assert world.status(days="1")["info"]["total"] == "0"


def test_other_paths_are_not_there(world):
    for path in ("/", "/apiv2/data/other", "/apiv3/data/emailStatus"):
        assert world.service.dispatch(Request("GET", "h", path)).status == 404
    request = Request("GET", "h", "/apiv2/data/emailStatus")
    assert world.service.action_of(request) == "emailStatus"
    assert json.loads(world.service.error_response(request, "501", 200).body)["statusCode"] == 501
    assert json.loads(world.service.error_response(request, "oops", 503).body)["statusCode"] == 501


fields = st.dictionaries(
    st.sampled_from(
        "email emailIds days startDate endDate start limit status subStatus to from xsmtpapi headers".split()
    ),
    st.text() | st.sampled_from(['{"to": [1]}', '{"to": "a"}', "[]", "99999999999999999999", "0000-00-00", "[" * 9999]),
)


@given(params=fields, verb=st.sampled_from(["data/emailStatus", "mail/send"]), raw=st.binary(max_size=50))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_raises(world, params, verb, raw):
    auth = urlencode({"apiUser": USER, "apiKey": KEY})
    body = urlencode(params, errors="replace").encode() + b"&" + raw
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "multipart/form-data"):
        headers = {"content-type": content_type}
        assert world.service.dispatch(Request("POST", "h", f"/apiv2/{verb}", auth, headers, body)).status == 200


def test_times_are_local_to_utc_plus_eight(world):
    world.send("a@example.com")
    local = time.strftime("%Y-%m-%d %H:%M", time.gmtime(world.clock.now() + 8 * 3600))
    assert world.status(days="1")["info"]["voList"][0]["requestTime"].startswith(local)
