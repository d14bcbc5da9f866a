"""The account that every handler acts for: state, clock, site, and switches for what is not documented."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.database import Database


@dataclasses.dataclass
class Switches:
    """Behaviour that differs between accounts or is not documented; may be changed at any time.

    ``allow_simple``: the legacy permission to send without a template. ``smtp_headers``: SmtpHeaders has no
    documented format; ``accept`` it as a JSON object and echo its ``X-Tencentcloudses-Cb-*``, ``refuse`` it with
    InvalidParameterValue, or ``ignore`` it. ``hourly_per_recipient``: mails to one address in an hour above which
    FailedOperation.FrequencyLimit is answered (documented default 10); 0 is no limit.
    """

    allow_simple: bool = False
    smtp_headers: Literal["accept", "refuse", "ignore"] = "accept"
    hourly_per_recipient: int = 0


class Template(NamedTuple):
    """A mail template; ``status``: 0 approved, 1 pending, 2 rejected."""

    template_id: int
    status: int
    html: str
    text: str


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
        sql = "SELECT template_id, status, html, text FROM template WHERE template_id = ?"
        row = self.database.row(sql, (template_id,))
        return Template(*row) if row else None

    def is_verified(self, domain: str) -> bool:
        """Whether mail may be sent from ``domain`` (lower case)."""
        row = self.database.row("SELECT is_verified FROM identity WHERE domain = ?", (domain,))
        return bool(row and row[0])
