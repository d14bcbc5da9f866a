"""What a case does to the cloud between two calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.world import LocalCloud


def control(cloud: LocalCloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is ``asked`` and answer what came of it; ``now`` (epoch seconds) always.

    ``reset``: begin anew, without the rate limit; ``switches``; ``advance_s``; ``faults``; ``credential``: issue a
    temporary one for so many seconds; ``fill_receivers``, ``fill_templates``: so many that say nothing; ``tamper``:
    ``[old, new]``, the next body is changed on its way.
    """
    made: dict[str, Any] = {}
    for name, value in asked.items():
        made |= _CONTROLS[name](cloud, value) or {}
    return {**made, "now": cloud.clock.now()}


def _advance(cloud: LocalCloud, seconds: float) -> None:
    cloud.advance(seconds)
    cloud.pump_until_idle()


def _fill_receivers(cloud: LocalCloud, count: int) -> None:
    rows = "receiver (name, description, status, created_at) VALUES (?, '', 1, 0)"
    _fill(cloud, rows, ((f"list {number}",) for number in range(count)))


def _fill_templates(cloud: LocalCloud, count: int) -> None:
    rows = "template (name, status, html, text, created_at) VALUES (?, 1, '', 'x', 0)"
    _fill(cloud, rows, ((f"template {number}",) for number in range(count)))


def _fill(cloud: LocalCloud, rows: str, values: Iterable[tuple[str]]) -> None:
    # Straight into the tables: a thousand requests a case would take their time with every client.
    database = cloud.ses._account.database
    with database.transaction():
        database.write_many(f"INSERT INTO {rows}", values)


def _tamper(cloud: LocalCloud, words: list[str]) -> None:
    old, new = words
    usual = cloud.dispatch

    def changed(service: str, request: Any, **options: Any) -> Any:
        cloud.dispatch = usual
        body = request.body.replace(old.encode(), new.encode())
        assert body != request.body, f"{old!r} is not in the body"
        return usual(service, replace(request, body=body), **options)

    cloud.dispatch = changed


_CONTROLS: dict[str, Callable[[LocalCloud, Any], dict[str, Any] | None]] = {
    "reset": lambda cloud, _: cloud.reset(),
    "switches": lambda cloud, changes: cloud.ses.switches.update(changes),
    "faults": lambda cloud, rules: cloud.add_faults(rules) and None,
    "credential": lambda cloud, ttl_s: cloud.credentials.issue(ttl_s)._asdict(),
    "fill_receivers": _fill_receivers,
    "fill_templates": _fill_templates,
    "tamper": _tamper,
    "advance_s": _advance,
}
