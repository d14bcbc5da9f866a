"""Batches in bad weather: whatever gets lost, however it is repeated and wherever the function dies, one mail each."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.send import doubt, extras
from shared.trail.evidence import NOT_ACCEPTED_AFTER_S
from shared.trail.ledger import LONGEST_LIFE_S
from tests.batches import batch_of, mails_of, person
from tests.handlers import bucket, run, send_batch, timer

if TYPE_CHECKING:
    from localcloud import LocalCloud

PEOPLE = [person(f"p{number}", str(number)) for number in range(5)]


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SES_RATE", "100000")


def _faults() -> st.SearchStrategy[dict[str, Any]]:
    """Build faults that come and go: a count small enough for the store to get over, or not."""
    at_ses = st.sampled_from(
        [
            {"kind": "drop_response"},
            {"kind": "drop_request"},
            {"kind": "error", "code": "RequestLimitExceeded"},
            {"kind": "error", "code": "InternalError"},
            {"kind": "error", "code": "FailedOperation.ServiceNotAvailable"},
        ]
    ).map(lambda one: {"service": "ses", "action": "SendEmail", **one})
    at_cos = st.builds(
        lambda action, one: {"service": "cos", "action": action, **one},
        st.sampled_from(["PutObject", "GetObject"]),
        st.sampled_from(
            [
                {"kind": "drop_response"},
                {"kind": "drop_request"},
                {"kind": "error", "code": "AccessDenied", "status": 403},
            ]
        ),
    )
    return st.builds(lambda one, times: {**one, "times": times}, at_ses | at_cos, st.integers(1, 3))


_REQUEST = st.tuples(
    st.lists(st.sampled_from(range(len(PEOPLE))), min_size=1, unique=True),  # who, in which order
    st.lists(_faults(), max_size=3),
    st.sampled_from([0, 61, 400, NOT_ACCEPTED_AFTER_S]),  # seconds until the next request
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(_REQUEST, min_size=1, max_size=4))
def test_however_a_batch_is_cut_repeated_and_interfered_with_each_gets_one_mail(
    cloud: LocalCloud, requests: list[tuple[list[int], list[dict[str, Any]], int]]
) -> None:
    """What a result says is true at the time, and once the weather is good repeats end in 202 for everybody."""
    _begin_anew(cloud)
    told: dict[str, str] = {}
    for who, faults, pause_s in requests:
        cloud.add_faults(faults)
        _note(send_batch(batch_of(PEOPLE[index] for index in who), key="k").body, told)
        cloud.clear_faults()
        cloud.advance(pause_s)
        assert all(count == 1 for count in mails_of(cloud).values())
    _complete(cloud, told)


def _note(body: dict[str, Any], told: dict[str, str]) -> None:
    """Remember who was told of which mail: nobody is ever told of another one."""
    for result in body["results"]:
        if result["status"] == 202:
            assert told.setdefault(result["to"], result["message_id"]) == result["message_id"]


def _complete(cloud: LocalCloud, told: dict[str, str]) -> None:
    for _ in range(3):
        cloud.advance(LONGEST_LIFE_S + NOT_ACCEPTED_AFTER_S)
        answer = send_batch(batch_of(PEOPLE), key="k")
        _note(answer.body, told)
        if answer.status == 202:
            break
    assert answer.status == 202, answer.body
    assert mails_of(cloud) == {one["to"]: 1 for one in PEOPLE}
    assert {message["to"][0]: message["message_id"] for message in cloud.messages()} == told


def _begin_anew(cloud: LocalCloud) -> None:
    """Empty the cloud and take a fresh instance: hypothesis draws many examples in one test."""
    now = cloud.clock.now()
    cloud.reset()
    cloud.move_to(now)
    cloud.ses.switches.update({"hourly_per_recipient": 0})
    extras.learnt = extras.Learnt()
    doubt._looked_at.clear()


@pytest.fixture
def _four_requests_each(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claim, SendEmail, outcome, line: what the guard looks at before that leaves nothing behind."""
    monkeypatch.setenv("SEND_GUARD", "off")


class DiedError(BaseException):
    """What no handler catches: the process is gone."""


def _die_at(cloud: LocalCloud, number: int, *, acts: bool) -> None:
    """Send the batch with a function that dies at the ``number``-th request, before the service acts or after."""
    dispatch, left, lock = cloud.dispatch, [number], threading.Lock()

    def until_death(service: str, request: Any, **options: Any) -> Any:
        with lock:
            left[0] -= 1
            place = left[0]
        if place >= 0 or (place == -1 and acts):
            answer = dispatch(service, request, **options)
        if place < 0:
            raise DiedError
        return answer

    cloud.dispatch = until_death  # type: ignore[method-assign]
    try:
        send_batch(batch_of(PEOPLE), key="k")
        assert number >= 4 * len(PEOPLE)
    except DiedError:
        assert number < 4 * len(PEOPLE)
    finally:
        del cloud.dispatch


@pytest.mark.usefixtures("_four_requests_each")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 21), acts=st.booleans())
def test_wherever_the_function_dies_repeats_complete_the_batch_and_send_nothing_twice(
    cloud: LocalCloud, *, number: int, acts: bool
) -> None:
    """Five mails are twenty requests; at one of them the process is gone, and with it every mail under way."""
    _begin_anew(cloud)
    _die_at(cloud, number, acts=acts)
    soon = send_batch(batch_of(PEOPLE), key="k")
    assert {one.get("code") for one in soon.body["results"]} <= {None, "in_flight"}
    _complete(cloud, {})


@pytest.mark.usefixtures("_four_requests_each")
@pytest.mark.parametrize("number", [4, 9, 14])
def test_what_a_dead_batch_left_is_also_found_out_by_the_timers(number: int, cloud: LocalCloud) -> None:
    """By the daily walk over claims that nobody asks about, and the status pass that it leads to."""
    _die_at(cloud, number, acts=True)
    before = mails_of(cloud)
    names = [key.rpartition("/")[2] for key in bucket("ledger/send/")]
    left = names.count("claim-0.json") - names.count("outcome-0.json")
    cloud.advance(LONGEST_LIFE_S + 2 * 3600)
    run("report", timer(), time_limit_s=900)
    found = run("snapshot", timer(), time_limit_s=900)["doubts"]
    assert found["sent"] + found["not_accepted"] == left, "how far each thread was is not the same every time"
    assert left or number != 4
    assert found["uncertain"] == 0
    assert mails_of(cloud) == before
    answer = send_batch(batch_of(PEOPLE), key="k")
    assert (answer.status, answer.body["duplicates"]) == (202, sum(before.values()))
    assert mails_of(cloud) == {one["to"]: 1 for one in PEOPLE}
