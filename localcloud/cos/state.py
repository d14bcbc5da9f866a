"""What the handlers work on: the store, the clock, and the switches that tests and fault rules turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.cos.store import Store


class CosState:
    """One COS account in one region.

    Switches, plain attributes that may be set at any time:
    ``list_lag_s``: seconds after which a new key shows up in LIST; GET and HEAD see it at once.
    ``versioned``: the bucket has had versioning enabled, which makes x-cos-forbid-overwrite void. (Versions themselves
    are not kept.) ``multi_az``: multi-AZ buckets, which refuse append.
    """

    def __init__(self, store: Store, clock: Clock, *, app_id: str, region: str) -> None:
        self.store = store
        self.clock = clock
        self.app_id = app_id
        self.region = region
        self.list_lag_s = 0.0
        self.versioned = False
        self.multi_az = False

    def forbids_overwrite(self, headers: dict[str, str]) -> bool:
        """Whether ``x-cos-forbid-overwrite: true`` was sent and has an effect here."""
        return headers.get("x-cos-forbid-overwrite", "").lower() == "true" and not self.versioned
