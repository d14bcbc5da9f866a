"""The account that every handler acts for: state, clock, site, and switches for what is not documented."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from localcloud.ses.switches import Switches
from localcloud.simulator import is_simulator

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.database import Database


class Template(NamedTuple):
    """A mail template; ``status``: 0 approved, 1 pending, 2 rejected, and ``reason`` the reviewer's words."""

    template_id: int
    name: str
    status: int
    reason: str
    html: str
    text: str
    created_at: float


_TEMPLATE = """SELECT template_id, name, CASE WHEN review_at <= ? THEN verdict ELSE status END,
    CASE WHEN review_at <= ? THEN reason ELSE '' END, html, text, created_at FROM template"""


@dataclasses.dataclass
class Account:
    """One SES account. ``site``: ``cn`` or ``intl``."""

    database: Database
    clock: Clock
    site: str
    app_id: str
    switches: Switches = dataclasses.field(default_factory=Switches)

    def template(self, template_id: int) -> Template | None:
        """Find a template by its number."""
        now = self.clock.now()
        row = self.database.row(f"{_TEMPLATE} WHERE template_id = ?", (now, now, template_id))
        return Template(*row) if row else None

    def templates(self, offset: int, limit: int) -> list[Template]:
        """List templates, newest first."""
        now = self.clock.now()
        sql = f"{_TEMPLATE} ORDER BY template_id DESC LIMIT ? OFFSET ?"
        return [Template(*row) for row in self.database.rows(sql, (now, now, limit, offset))]

    def is_verified(self, domain: str) -> bool:
        """Whether mail may be sent from ``domain`` (lower case)."""
        row = self.database.row("SELECT is_verified FROM identity WHERE domain = ?", (domain,))
        return bool(row and row[0])

    def has_sender(self, address: str) -> bool:
        """Whether ``address`` was made with CreateEmailAddress."""
        return bool(self.database.row("SELECT 1 FROM sender_address WHERE address = ?", (address.lower(),)))

    def is_exempt(self, address: str) -> bool:
        """Whether the rules that remember a recipient leave ``address`` alone."""
        return self.switches.simulator_is_exempt and is_simulator(address)
