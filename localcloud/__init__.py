"""A small Tencent Cloud for the laptop: SES, COS and SendCloud, a gateway for the functions, and their timers.

Two doors to one core: ``mock_tencent`` inside the process, ``localcloud.server`` over HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.mock import mock_tencent
    from localcloud.world import LocalCloud

__all__ = ["LocalCloud", "mock_tencent"]


def __getattr__(name: str) -> Any:
    # Lazy: the server door must not pay for `responses` and `requests`, which only the in-process door needs.
    if name == "mock_tencent":
        from localcloud.mock import mock_tencent  # noqa: PLC0415

        return mock_tencent
    if name == "LocalCloud":
        from localcloud.world import LocalCloud  # noqa: PLC0415

        return LocalCloud
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
