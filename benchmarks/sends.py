"""Sends in bad weather: whether a mail goes out once, and whether its caller gets to know.

Clients with an Idempotency-Key each, which repeat on any failure with the same key, over instances of ``send`` that are
killed at random, over an SES of which every twentieth answer is lost after it acted and every twentieth is an error,
over a COS of which every fiftieth request fails. localcloud tells the events of the mails to its own webhook, over the
same COS. Then, while a key is open: what died is dead, the clients repeat, half an hour passes, the status pass runs
(the snapshot function), the clients repeat.

Judged from SES's side: its messages, counted by their subjects, which are one for each key.

1. no mail was accepted twice, and none whose key is ``sent`` not at all;
2. every key is ``sent`` or ``refused``, none is in doubt;
3. the message that the client was told is the one that SES has.

A round is 1 000 sends: 10 rounds are the 10 000.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal
from benchmarks.sends_course import Outcome, Size, run_sends

SENDS_A_ROUND = 1000


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Run ``rounds`` times 1 000 sends. Raises BenchmarkError when localcloud does not come up."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_sends(Path(folder), Size(rounds * SENDS_A_ROUND, workers=12, kill_every_s=0.5))
    goals = [Goal(what, len(numbers), 0) for what, numbers in wrong(outcome).items()]
    return {**outcome.numbers, "wrong": {what: numbers[:20] for what, numbers in wrong(outcome).items()}}, goals


def wrong(outcome: Outcome) -> dict[str, list[int]]:
    """Return the keys that are not as they must be, by what is wrong with them."""
    endings, accepted = outcome.endings, outcome.accepted
    return {
        "mails accepted more than once": [key for key, found in accepted.items() if len(found) > 1],
        "keys that are sent and were never accepted": [
            key for key, ending in endings.items() if ending.state == "sent" and not accepted[key]
        ],
        "keys that are refused and were accepted": [
            key for key, ending in endings.items() if ending.state == "refused" and accepted[key]
        ],
        "keys that are neither sent nor refused": [
            key for key, ending in endings.items() if ending.state not in ("sent", "refused")
        ],
        "keys that name another message than SES": [
            key for key, ending in endings.items() if ending.state == "sent" and [ending.message_id] != accepted[key]
        ],
        "clients that were told another message": [
            key for key, ending in endings.items() if ending.told and [ending.told] != accepted[key]
        ],
    }
