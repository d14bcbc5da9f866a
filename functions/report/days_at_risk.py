"""Which days' status rows are safe, and which SES may forget before they are. Pure.

sealed    nothing of it can change any more; two passes agreed, or it is told in ``unagreed``
complete  a whole pass is in it, and more will follow
open      no whole pass yet
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.report.dates import age, shifted
from functions.report.manifests import FORGOTTEN_AFTER_DAYS, LOOKED_BACK_DAYS, SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.report.manifests import Manifest, Manifests

AT_RISK_AFTER_DAYS = 25
"""Five days are left then to mend a timer that stands still."""


def judge_days(manifests: Manifests) -> dict[str, Any]:
    """Return the report's member ``days``: for each source in use what became of the last 31 days; None: not in use."""
    return {
        source: _judge(manifests.of[source], manifests.today, manifests.since[source])
        if source in manifests.since
        else None
        for source in SOURCES
    }


def _judge(found: Mapping[str, Manifest], today: str, since: str) -> dict[str, Any]:
    within = [shifted(today, -back) for back in range(FORGOTTEN_AFTER_DAYS, -1, -1)]
    beyond = [shifted(today, -back) for back in range(LOOKED_BACK_DAYS, FORGOTTEN_AFTER_DAYS, -1)]
    standings = [_standing(found.get(day, {})) for day in within]
    unsealed: list[dict[str, Any]] = [
        {"day": day, "age_days": age(day, today), "complete": standing == "complete"}
        for day, standing in zip(within, standings, strict=True)
        if day != today and standing != "sealed"
    ]
    return {
        **{standing: standings.count(standing) for standing in ("sealed", "complete", "open")},
        "unsealed": unsealed,
        "at_risk": [one["day"] for one in unsealed if one["age_days"] >= AT_RISK_AFTER_DAYS],
        "lost": [day for day in beyond if day >= since and not found.get(day, {}).get("complete")],
        "unagreed": [day for day in (*beyond, *within) if _is_unagreed(found.get(day, {}))],
    }


def _standing(manifest: Manifest) -> str:
    if manifest.get("sealed"):
        return "sealed"
    return "complete" if manifest.get("complete") else "open"


def _is_unagreed(manifest: Manifest) -> bool:
    # Manifests from before there was more than one pass do not say, and nobody claims more for them.
    return bool(manifest.get("sealed")) and manifest.get("agreed") is False
