"""The page at ``/``: the latest mails and where else to look. Plain HTML, no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from localcloud.when import iso_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS = ("accepted_at", "message_id", "from", "to", "subject")
LINKS = ("health", "messages", "callbacks", "faults")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>localcloud</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:75rem}}
table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ccc;overflow-wrap:anywhere}}</style>
</head><body><h1>localcloud</h1>
<p>It is {now}. Look at {links}. Timers: {timers}.</p>
<h2>Latest mails</h2>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def render_index(messages: Iterable[Mapping[str, Any]], now: float, timers: Sequence[str]) -> str:
    """Render the page; ``messages`` as SesService.messages gives them, ``now`` in epoch seconds."""
    rows = "\n".join(_row(_cell(message.get(column)) for column in COLUMNS) for message in messages)
    return PAGE.format(
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
