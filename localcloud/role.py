"""The role that functions run as: on SCF its key is a temporary one, and changes under a warm instance."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from localcloud.defaults import SECRET_ID
from localcloud.when import iso_utc

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.credentials import Credentials, Temporary


class Role:
    """Hands each invocation its credentials. Thread-safe; born with the permanent key, which never expires."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._ttl_s: float | None = None
        self._current: Temporary | None = None
        self._issued = 0

    def rotate(self, ttl_s: float | None) -> None:
        """From the next invocation on, hand out temporary credentials of ``ttl_s`` simulated seconds; None: permanent.

        Raises ValueError if ``ttl_s`` is not positive.
        """
        if ttl_s is not None and ttl_s <= 0:
            raise ValueError(f"ttl_s must be positive, got {ttl_s}")
        with self._lock:
            self._ttl_s, self._current = ttl_s, None

    def reset(self) -> None:
        """Back to the permanent key."""
        self.rotate(None)

    def environment(self) -> dict[str, str]:
        """Return the variables of the next invocation, with a fresh credential once half the life of the last is over.

        Empty while there is nothing but the permanent key; afterwards the token is emptied, because a warm instance
        keeps its environment.
        """
        with self._lock:
            if self._ttl_s is None:
                return {"TENCENTCLOUD_SESSIONTOKEN": ""} if self._issued else {}
            current = self._current
            if current is None or current.expires_at - self._clock.now() < self._ttl_s / 2:
                self._current = current = self._credentials.issue(self._ttl_s)
                self._issued += 1
        return {
            "TENCENTCLOUD_SECRETID": current.secret_id,
            "TENCENTCLOUD_SECRETKEY": current.secret_key,
            "TENCENTCLOUD_SESSIONTOKEN": current.token,
        }

    def describe(self) -> dict[str, Any]:
        """Return ``ttl_s``, how many were ``issued``, and the current ``secret_id`` and ``expires_at``, as JSON."""
        with self._lock:
            current = self._current
            return {
                "ttl_s": self._ttl_s,
                "issued": self._issued,
                "secret_id": current.secret_id if current else None if self._ttl_s else SECRET_ID,
                "expires_at": iso_utc(current.expires_at) if current else None,
            }
