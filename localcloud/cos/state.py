"""What the handlers work on: the store, the clock, and the switches that tests and fault rules turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos.departed import Departed
from localcloud.cos.switches import Switches

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.cos.address import Call
    from localcloud.cos.store import Store


class CosState:
    """One COS account in one region. ``switches``: see localcloud.cos.switches; three of them have short names here."""

    def __init__(self, store: Store, clock: Clock, *, app_id: str, region: str) -> None:
        self.store = store
        self.clock = clock
        self.app_id = app_id
        self.region = region
        self.switches = Switches()
        self.departed = Departed()

    @property
    def list_lag_s(self) -> float:
        """Seconds after which a new key shows up in LIST; GET and HEAD see it at once."""
        return self.switches.list_lag_s

    @list_lag_s.setter
    def list_lag_s(self, seconds: float) -> None:
        self.switches.list_lag_s = seconds

    @property
    def versioned(self) -> bool:
        """Whether every bucket counts as having had versioning."""
        return self.switches.versioned

    @versioned.setter
    def versioned(self, is_versioned: bool) -> None:
        self.switches.versioned = is_versioned

    @property
    def multi_az(self) -> bool:
        """Whether every bucket is multi-AZ."""
        return self.switches.multi_az

    @multi_az.setter
    def multi_az(self, is_multi_az: bool) -> None:
        self.switches.multi_az = is_multi_az

    def region_of(self, bucket: str) -> str:
        """Region that a bucket was made in, by the Host of its PUT. Its objects are served whatever region is asked."""
        kept = self.store.configurations.get(bucket, "region")
        return kept.document.decode() if kept else self.region

    def is_multi_az(self, bucket: str) -> bool:
        """Whether this bucket is multi-AZ, by the switch or since its creation."""
        return self.multi_az or self.store.configurations.get(bucket, "az") is not None

    def versioning_of(self, bucket: str) -> str:
        """Return ``Enabled``, ``Suspended``, or empty when the bucket never had versioning."""
        return self.store.configurations.versioning(bucket) or ("Enabled" if self.versioned else "")

    def forbids_overwrite(self, call: Call) -> bool:
        """Whether ``x-cos-forbid-overwrite: true`` was sent and has an effect in this bucket."""
        is_asked = call.headers.get("x-cos-forbid-overwrite", "").lower() == "true"
        return is_asked and not self.versioning_of(call.bucket)
