"""Hours of events for the tests of compaction: what was called back, and what readers make of the bucket."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from functions.report.event_reading import Missed, iter_events
from localcloud import defaults
from shared.trail.fold import fold
from shared.trail.layout import parse_event_key
from shared.trail.records import canonical_json
from shared.trail.store import FORBID_OVERWRITE, Place, Store
from tests.handlers import DAY, NOW, call_back, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOUR = "15"
OCCURRED = int(NOW) - 3600
"""15:10 in the account's zone: its hour has just been closed at ``NOW``."""
ONLY_MAINTENANCE = {"Type": "Timer", "TriggerName": "t", "Time": "2026-11-20T08:10:00Z", "Message": '{"days": []}'}
GRACE_S = 1800


class Facts(NamedTuple):
    """What must not change: every event with what the provider said, and the state of every recipient."""

    events: frozenset[tuple[str, bytes]]
    states: tuple[tuple[str, Any], ...]


def callback(number: int, *, occurred: int = OCCURRED, event: str = "delivered") -> dict[str, Any]:
    """Build one callback of SES."""
    fields = {"event": event, "timestamp": occurred + number % 7, "email": f"u{number}@example.com", "bulkId": "m"}
    return {**fields, **({"bounceType": "hard_bounce", "reason": "550 5.1.1"} if event == "bounce" else {})}


def deliver(callbacks: Iterable[dict[str, Any]]) -> None:
    """Hand callbacks to the webhook, each in a request of its own."""
    for one in callbacks:
        assert call_back(one).status == 200


def trail(claim: str = FORBID_OVERWRITE) -> Store:
    """Open the local bucket."""
    return Store(Place(defaults.SECRET_ID, defaults.SECRET_KEY, "", defaults.BUCKET, defaults.REGION, "", claim))


def facts(records: Iterable[dict[str, Any]]) -> Facts:
    """Return what a reader knows who counts by ``event_id`` and folds."""
    events, of_recipient = set(), defaultdict(list)
    for record in records:
        events.add((record["event_id"], canonical_json(record["raw"])))
        of_recipient[record["recipient"]].append(record)
    return Facts(frozenset(events), tuple((name, fold(of_recipient[name]).as_dict()) for name in sorted(of_recipient)))


def naive(day: str = DAY) -> Facts:
    """Read a day as somebody does who only knows to list and to get, with the vendor's SDK."""
    found: list[dict[str, Any]] = []
    for key in listed(day):
        found += [json.loads(line) for line in (read(key) or b"").split(b"\n") if line]
    return facts(found)


def ours(day: str = DAY) -> Facts:
    """Read a day as the report does; nothing may be missed."""
    missed = Missed()
    found = facts(iter_events(trail(), day, missed))
    assert (missed.vanished, missed.unreadable) == (0, 0)
    return found


@functools.lru_cache(maxsize=1)
def _client() -> CosS3Client:
    config = CosConfig(Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=defaults.SECRET_KEY)
    return CosS3Client(config, retry=0)


def listed(day: str = DAY, prefix: str = "events/") -> list[str]:
    """List the keys of a day."""
    page = _client().list_objects(defaults.BUCKET, Prefix=f"{prefix}dt={day}/", MaxKeys=1000)
    assert page["IsTruncated"] == "false"
    return [row["Key"] for row in page.get("Contents", ())]


def names(day: str = DAY) -> list[str]:
    """List the names of a day's objects of events, without their hours."""
    return [place[2] for key in listed(day) if (place := parse_event_key(key))]


def read(key: str) -> bytes | None:
    """Read an object, None when there is none."""
    try:
        body: bytes = _client().get_object(defaults.BUCKET, key)["Body"].get_raw_stream().read()
    except CosServiceError as error:
        if error.get_error_code() != "NoSuchKey":
            raise
        return None
    return body


def maintain(time_limit_s: float = 900) -> dict[str, Any]:
    """Run the report timer without reports; return what compaction told."""
    told: dict[str, Any] = run("report", ONLY_MAINTENANCE, time_limit_s=time_limit_s)["maintenance"]["compaction"]
    return told


class Killed(BaseException):
    """The function's process died."""


def die_at(number: int, *, after: bool, dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a cloud's ``dispatch``: the process dies at its request ``number``, from 0, before it takes effect or ``after``.

    What other threads still ask for then never leaves the process.
    """
    seen = 0

    def dying(service: str, request: Any, **options: Any) -> Any:
        nonlocal seen
        mine, seen = seen, seen + 1
        if mine < number:
            return dispatch(service, request, **options)
        if mine == number and after:
            dispatch(service, request, **options)
        raise Killed

    return dying
