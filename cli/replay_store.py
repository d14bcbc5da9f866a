"""One callback put back into the trail as the webhook would have stored it, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.webhook.authenticate import Refused, verify_signature
from functions.webhook.body import UnreadableError, parse_objects
from functions.webhook.ingest import Desk
from functions.webhook.receive import store_callback
from functions.webhook.sendcloud_token import use_tokens
from shared.trail.layout import events_prefix, quarantine_prefix
from shared.trail.records import iso
from shared.trail.store import Place, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.replay_sources import Found
    from functions.webhook.receive import Callback
    from shared.edge.settings import WebhookSettings

STORED, PRESENT, KEPT, UNPROVEN, FAILED = "stored", "already there", "not understood", "not authentic", "failed"
_UNAUTHENTIC = "no right signature of SendCloud, or a token that is too old or was used before"


class Outcome(NamedTuple):
    """What came of one callback: ``result`` is one of the above; KEPT: it is or stays in quarantine."""

    name: str
    received_at: str
    provider: str
    events: int
    result: str
    detail: str


class Rules(NamedTuple):
    """How to put back.

    ``dry``: only look. ``keep``: leave quarantine as it is. ``accept``: also what SendCloud's signature or token does
    not vouch for, as unverified.
    """

    dry: bool = False
    keep: bool = False
    accept: bool = False


class WatchedStore(Store):
    """The bucket, with a note of which keys were new; when ``dry``, nothing is written."""

    def __init__(self, place: Place, *, dry: bool) -> None:
        super().__init__(place)
        self._dry = dry
        self.put_keys: dict[str, bool] = {}
        """Key -> whether it was new, for each object that was put."""

    def put_once(self, key: str, body: bytes, *, content_type: str = "application/x-ndjson") -> bool:
        """Write unless ``dry``, and note what came of it. Raises StoreError."""
        created = self.get(key) is None if self._dry else super().put_once(key, body, content_type=content_type)
        self.put_keys[key] = created
        return created

    def put(self, key: str, body: bytes, *, content_type: str = "application/x-ndjson") -> None:
        """Write unless ``dry``. Raises StoreError."""
        if not self._dry:
            super().put(key, body, content_type=content_type)

    def offer(self, key: str, body: bytes) -> bool:
        """Create unless ``dry``. Raises StoreError."""
        return self.get(key) is None if self._dry else super().offer(key, body)

    def within(self, seconds: float) -> Store:
        """Return a store that writes nothing either when ``dry``."""
        return self if self._dry else super().within(seconds)

    def create_if_absent(self, key: str, body: bytes) -> bool:
        """Claim, or tell when ``dry`` whether a claim would succeed. Raises StoreError."""
        if self._dry:
            return self.get(key) in (None, body)
        return super().create_if_absent(key, body)


def open_store(settings: WebhookSettings) -> Store:
    """Return the bucket of the trail."""
    return Store(_place(settings))


def put_back(found: Found, settings: WebhookSettings, rules: Rules) -> Outcome:
    """Store what ``found`` holds under the very keys that the webhook would have used. Raises nothing."""
    callback = found.callback
    if callback is None:
        return Outcome(found.name, "", "", 0, FAILED, found.problem)
    known = (found.name, iso(callback.received_s), callback.provider)
    try:
        return _put_back(found, callback, settings, rules)
    except StoreError as error:
        return Outcome(*known, 0, FAILED, f"COS: {error}")
    except Exception as error:  # noqa: BLE001 - the bug that kept it from being stored may not be mended here yet
        return Outcome(*known, 0, FAILED, f"a bug: {type(error).__name__}")


def _put_back(found: Found, callback: Callback, settings: WebhookSettings, rules: Rules) -> Outcome:
    known = (found.name, iso(callback.received_s), callback.provider)
    store = WatchedStore(_place(settings), dry=rules.dry)
    desk = Desk(store, settings.utc_offset_s, callback.received_s)
    if callback.provider == "sendcloud":
        vouched = _is_vouched_for(callback, desk, settings.sendcloud_app_keys)
        if vouched is False and not rules.accept:
            return Outcome(*known, 0, UNPROVEN if found.why else FAILED, f"{_UNAUTHENTIC}: --accept-unauthentic")
        callback = callback._replace(verified=bool(vouched))
    stored = store_callback(callback, desk, settings.token_keys)
    if found.why and found.name not in store.put_keys and not rules.keep and not rules.dry:
        store.delete(found.name)  # all that it held is durable elsewhere now
    return Outcome(*known, stored.events, _result(store), found.why)


def _is_vouched_for(callback: Callback, desk: Desk, app_keys: Sequence[str]) -> bool | None:
    """Tell whether SendCloud's signatures and tokens speak for the body; None when nothing asks them to.

    That is without an APP KEY, as for the webhook, and for what is no object at all and goes to quarantine.
    """
    if not callback.verified and not app_keys:
        return None
    try:
        objects = parse_objects(callback.body)
        for raw in objects:  # also what was right when it came: the line vouches for it only as far as its key does
            verify_signature(raw, app_keys)
        use_tokens(objects, desk)
    except (UnreadableError, RecursionError):
        return None
    except Refused:
        return False
    return True


def _place(settings: WebhookSettings) -> Place:
    return Place(*settings.credential, *settings.bucket)


def _result(store: WatchedStore) -> str:
    events = [created for key, created in store.put_keys.items() if key.startswith(events_prefix())]
    if not events and any(key.startswith(quarantine_prefix()) for key in store.put_keys):
        return KEPT
    return STORED if any(events) else PRESENT
