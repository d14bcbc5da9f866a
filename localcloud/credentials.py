"""Who may sign: permanent keys, and temporary ones that expire by the clock.

Temporary credentials are a SecretId, a SecretKey and a token that must come with every request: ``X-TC-Token`` at API
3.0 (https://www.tencentcloud.com/document/api/1084/39391), ``x-cos-security-token`` at COS. One registry can serve
every service, so that a credential that is refused at one is refused at all.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.clock import Clock

DURATION_S = 1800
"""How long a temporary credential lives unless asked otherwise; GetFederationToken's default."""


class Temporary(NamedTuple):
    """A temporary credential; ``expires_at``: simulated epoch seconds."""

    secret_id: str
    secret_key: str
    token: str
    expires_at: float


class Credentials:
    """Permanent keys (SecretId → SecretKey) and the temporary ones that were issued. Thread-safe.

    ``tokens``: token → expiry in simulated epoch seconds, for tokens that accompany a permanent key. One that is not
    listed is accepted, so that a test need only name those that must fail. Temporary credentials live in memory: they
    do not outlive the process.
    """

    def __init__(self, keys: Mapping[str, str], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._temporary: dict[str, Temporary] = {}
        self.tokens: dict[str, float] = {}

    def issue(self, ttl_s: float = DURATION_S) -> Temporary:
        """Make a temporary credential, good for ``ttl_s`` simulated seconds. Raises ValueError if not positive."""
        if ttl_s <= 0:
            raise ValueError(f"ttl_s must be positive, got {ttl_s}")
        made = Temporary(
            f"AKIDTMP{secrets.token_hex(12)}",
            secrets.token_hex(16),
            secrets.token_hex(40),
            self._clock.now() + ttl_s,
        )
        with self._lock:
            self._temporary[made.secret_id] = made
        return made

    def lookup(self, secret_id: str) -> str | None:
        """Return the SecretKey that goes with ``secret_id``, expired or not; None for a stranger."""
        temporary = self._temporary.get(secret_id)
        return temporary.secret_key if temporary else self._keys.get(secret_id)

    def is_token_good(self, secret_id: str, token: str) -> bool:
        """Whether ``token`` (empty: none came) may accompany ``secret_id`` now."""
        temporary = self._temporary.get(secret_id)
        if temporary is not None:
            return secrets.compare_digest(temporary.token.encode(), token.encode()) and self._is_ahead(
                temporary.expires_at
            )
        expires_at = self.tokens.get(token)
        return expires_at is None or self._is_ahead(expires_at)

    def has_expired(self, secret_id: str) -> bool:
        """Whether ``secret_id`` is temporary and its time is over."""
        temporary = self._temporary.get(secret_id)
        return temporary is not None and not self._is_ahead(temporary.expires_at)

    def expire(self, secret_id: str | None = None) -> int:
        """End one temporary credential now, or all of them; return how many were still good."""
        now = self._clock.now()
        with self._lock:
            ended = [
                made
                for made in self._temporary.values()
                if secret_id in (None, made.secret_id) and made.expires_at > now
            ]
            self._temporary |= {made.secret_id: made._replace(expires_at=now) for made in ended}
        return len(ended)

    def reset(self) -> None:
        """Forget every temporary credential and every listed token."""
        with self._lock:
            self._temporary.clear()
            self.tokens.clear()

    def _is_ahead(self, at: float) -> bool:
        return at > self._clock.now()
