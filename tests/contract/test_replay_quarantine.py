"""`mailtrail replay --quarantine`: what the parser understands by now becomes events, the rest stays where it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from qcloud_cos import CosConfig, CosS3Client

from functions.webhook import adapt, body, ingest
from localcloud import defaults
from shared.upstream.signing import build_callback_token
from tests.contract.test_replay import EVENT, SENDCLOUD, run, signed
from tests.handlers import DAY, NOW, bucket, call_back, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud import LocalCloud

ODD = {**EVENT, "timestamp": "tomorrow"}
UNKNOWN_TIME = "no timestamp"


@pytest.fixture
def improved(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Teach the parser what "tomorrow" means, as a new version would."""
    parse = adapt.plausible_epoch
    with monkeypatch.context() as better:
        better.setattr(adapt, "plausible_epoch", lambda value: NOW - 600 if value == "tomorrow" else parse(value))
        yield better


def again(*more: str, code: int = 0) -> dict[str, Any]:
    """Run `mailtrail replay --quarantine --json`."""
    told: dict[str, Any] = json.loads(run(["--quarantine", "--json", *more], code=code).stdout)
    return told


def results(told: dict[str, Any]) -> list[tuple[str, int]]:
    """Pick what became of each, in the order of quarantine."""
    return sorted((one["result"], one["events"]) for one in told["callbacks"])


def quarantined(what: Any, **how: Any) -> dict[str, bytes]:
    """Deliver what is not understood; return what lies in quarantine."""
    assert call_back(what, **how).body["quarantined"] >= 1
    return bucket("quarantine/")


@pytest.mark.usefixtures("cloud")
def test_what_is_understood_now_is_stored_as_of_its_receipt_and_leaves_quarantine(
    request: pytest.FixtureRequest,
) -> None:
    before = quarantined(ODD)
    received_at = json.loads(next(iter(before.values())))["received_at"]
    request.getfixturevalue("improved")
    told = again()
    assert results(told) == [("stored", 1)]
    assert (told["callbacks"][0]["name"], told["callbacks"][0]["detail"]) == (next(iter(before)), UNKNOWN_TIME)
    (record,) = records("events/")
    assert (record["raw"], record["received_at"]) == (ODD, received_at)
    assert bucket("quarantine/") == {}
    assert again()["callbacks"] == []


@pytest.mark.usefixtures("cloud")
def test_what_is_still_not_understood_stays_to_the_byte() -> None:
    for what in (ODD, b"\xff\xfe", b"", [EVENT, 7, {"event": "open"}], b'{"a": 1}\nnot JSON\n'):
        quarantined(what)
    before, events = bucket("quarantine/"), bucket("events/")
    told = again()
    assert results(told) == [("not understood", 0)] * len(before)
    assert bucket("quarantine/") == before
    assert bucket("events/") == events


@pytest.mark.usefixtures("cloud")
def test_dry_run_and_keep_leave_quarantine_alone(request: pytest.FixtureRequest) -> None:
    before = quarantined(ODD)
    request.getfixturevalue("improved")
    assert results(again("--dry-run")) == [("stored", 1)]
    assert bucket() == before
    assert results(again("--keep")) == [("stored", 1)]
    assert bucket("quarantine/") == before
    assert results(again("--keep")) == [("already there", 1)]
    assert results(again()) == [("already there", 1)]
    assert bucket("quarantine/") == {}
    assert len(records("events/")) == 1


@pytest.mark.usefixtures("cloud")
def test_a_day_of_receipt_may_be_named(cloud: LocalCloud, request: pytest.FixtureRequest) -> None:
    quarantined(ODD)
    cloud.advance(86400)
    quarantined({**ODD, "email": "bob@example.com"})
    request.getfixturevalue("improved")
    assert again("--day", "2026-11-19")["callbacks"] == []
    assert results(again("--day", DAY)) == [("stored", 1)]
    assert [key.split("/")[1] for key in bucket("quarantine/")] == ["dt=2026-11-21"]


@pytest.mark.usefixtures("cloud")
def test_a_whole_body_that_is_half_understood_now_leaves_its_other_half(request: pytest.FixtureRequest) -> None:
    """More elements than are kept one by one: the body was kept whole. It goes when every piece of it is durable."""
    few = [{**ODD, "email": f"p{number}@example.com"} for number in range(ingest.MOST_APART)]
    quarantined([*few, 7, 8])
    request.getfixturevalue("improved")
    assert results(again()) == [("stored", ingest.MOST_APART)]
    assert sorted(line["body"] for line in records("quarantine/")) == ["7", "8"]
    assert len(records("events/")) == ingest.MOST_APART


@pytest.mark.usefixtures("cloud")
def test_it_is_deleted_only_when_its_events_are_durable(cloud: LocalCloud, request: pytest.FixtureRequest) -> None:
    before = quarantined(ODD)
    request.getfixturevalue("improved")
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "error", "status": 503, "times": 3})
    assert results(again(code=1)) == [("failed", 0)]
    assert bucket() == before
    assert results(again()) == [("stored", 1)]


@pytest.mark.usefixtures("cloud")
def test_a_forged_callback_token_stays_whatever_is_asked() -> None:
    """`--accept-unauthentic` speaks of SendCloud; a token of ours that is wrong is a forgery, not a doubt."""
    before = quarantined(
        {**EVENT, "X-Tencentcloudses-Cb-Custom": build_callback_token("another-key-1c2d", "r", ["alice@example.com"])}
    )
    for more in ([], ["--accept-unauthentic"]):
        assert results(again(*more)) == [("not understood", 0)]
        assert bucket() == before


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("age_s", [0, 100 * 3600], ids=["used before", "stale"])
def test_what_sendcloud_said_under_a_refused_token_is_stored_only_on_demand_and_unverified(age_s: int) -> None:
    """Should SendCloud use tokens again, its events are not lost; nor are they taken for proven."""
    refused = signed({**SENDCLOUD, "recipient": "b@example.com"}, at_s=NOW - age_s)
    if not age_s:
        assert call_back(SENDCLOUD, provider="sendcloud").status == 200
    assert call_back(refused, provider="sendcloud").status == 401
    before = bucket("quarantine/")
    assert len(before) == 1
    told = again()
    assert results(told) == [("not authentic", 0)]
    assert "--accept-unauthentic" in told["callbacks"][0]["detail"]
    assert bucket("quarantine/") == before
    assert results(again("--accept-unauthentic")) == [("stored", 1)]
    assert bucket("quarantine/") == {}
    (record,) = [record for record in records("events/") if record["recipient"] == "b@example.com"]
    assert record["verified"] is False


@pytest.mark.usefixtures("cloud")
def test_sendcloud_is_verified_by_its_signature_and_not_by_lying_there(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that could not be read was not checked when it came; what it proves is asked now."""
    form = "&".join(f"{name}={value}" for name, value in SENDCLOUD.items()).replace("event=", "EVENT=")
    forged = form.replace(SENDCLOUD["signature"], "0" * 64)
    for unread in (form, forged):
        assert call_back(unread.encode(), provider="sendcloud").body == {"stored": 0, "quarantined": 1}
    parse = body._form
    monkeypatch.setattr(body, "_form", lambda text: parse(text.replace("EVENT=", "event=")))
    told = again()
    assert results(told) == [("not authentic", 0), ("stored", 1)]
    assert [record["verified"] for record in records("events/")] == [True]
    assert len(bucket("quarantine/")) == 1


@pytest.mark.usefixtures("cloud")
def test_an_object_that_the_webhook_never_wrote_is_named_and_left(cloud: LocalCloud) -> None:
    client = CosS3Client(
        CosConfig(Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=defaults.SECRET_KEY), retry=0
    )
    for number, content in enumerate((b"not JSON", b"[]", b'{"provider": "else", "body": "", "received_at": "x"}')):
        client.put_object(Bucket=defaults.BUCKET, Key=f"quarantine/dt={DAY}/{number}.json", Body=content)
    before = bucket()
    told = again(code=1)
    assert results(told) == [("failed", 0)] * 3
    assert bucket() == before
