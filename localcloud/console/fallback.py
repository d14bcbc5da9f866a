"""What a browser without script sees at ``/``: the latest mails and where else to look."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from localcloud.when import iso_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS = ("accepted_at", "message_id", "from", "to", "subject")
LINKS = ("health", "messages", "callbacks", "faults")

FRAGMENT = """<h1>localcloud</h1>
<p>It is {now}. Look at {links}. Timers: {timers}.</p>
<h2>Latest mails</h2>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>"""


def render_fallback(messages: Iterable[Mapping[str, Any]], now: float, timers: Sequence[str]) -> str:
    """Render the fragment; ``messages`` as Archive.page gives them, ``now`` in epoch seconds."""
    rows = "\n".join(_row(_cell(message.get(column)) for column in COLUMNS) for message in messages)
    return FRAGMENT.format(
        now=iso_utc(now),
        links=", ".join(f'<a href="/_local/{name}">{name}</a>' for name in LINKS),
        timers=escape(", ".join(timers)) or "none",
        head="".join(f'<th scope="col">{column.replace("_", " ")}</th>' for column in COLUMNS),
        rows=rows or f'<tr><td colspan="{len(COLUMNS)}">None yet.</td></tr>',
    )


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escape(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
