"""Where a storm passes: localcloud as seen from outside, and the carrier of its callbacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.goals import BenchmarkError
from benchmarks.localcloud_servers import ROOT
from cli import target
from localcloud import defaults
from localcloud.callbacks import Callback
from localcloud.delivery import HttpPost

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localcloud.delivery import Answer
    from localcloud.storm import Storm

REPORT_S = 10_800
"""Of one run of the report function. It has 900 in the cloud, where it does not share its cores with COS and others."""


class Site:
    """localcloud, from outside. ``folder``: what lies in it, ``data``, and the instances' ``logs``."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.objects = folder / "data" / "cos" / defaults.BUCKET / "objects"

    def ask(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Ask the control plane."""
        answer = requests.request(method, f"http://127.0.0.1:{self.port}/_local/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def replay(self, logs: Iterable[Path]) -> Counter[str]:
        """Give what the instances logged to ``mailtrail replay``; returns its results, counted."""
        command = (sys.executable, "-m", "cli", "replay", "-", "--json", "--local", str(self.port))
        text = b"\n".join(path.read_bytes() for path in logs)
        run = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, check=False)
        try:
            return Counter(one["result"] for one in json.loads(run.stdout)["callbacks"])
        except (ValueError, KeyError) as error:
            raise BenchmarkError(f"mailtrail replay: {run.stderr.decode()[-500:]}") from error

    def report(self) -> dict[str, Any]:
        """Run the report function as its timer does."""
        from functions.report.handler import main_handler  # noqa: PLC0415 - it is what is measured, not a tool

        with target.running_as({**target.local_environment(self.port), "LOG_LEVEL": "ERROR"}):
            event = {"Type": "Timer", "TriggerName": "report_hourly", "Time": "2026-11-20T12:35:00Z", "Message": ""}
            return main_handler(event, target.context("report", time_limit_s=REPORT_S))

    def read_report(self, day: str) -> dict[str, Any]:
        """Read a day's report from the disk."""
        found: dict[str, Any] = json.loads((self.objects / f"reports/dt={day}/report.json").read_bytes())
        return found


class Recorder:
    """Carries callbacks, and remembers of each event whether it was ever acknowledged, and whether ever refused."""

    def __init__(self, url: str, events: int) -> None:
        self._post = HttpPost({"ses": f"{url}/webhook/ses/{defaults.WEBHOOK_SECRET}"})
        self.acknowledged = bytearray(events)
        self.refused = bytearray(events)
        self.answers: Counter[str] = Counter()

    def __call__(self, callback: Callback) -> Answer:
        """Deliver one."""
        status, answer = self._post(callback)
        self.answers["none" if status is None else str(status)] += 1
        if status is not None and 200 <= status < 300:
            self.acknowledged[callback.id] = 1
        elif status is not None:
            self.refused[callback.id] = 1
        return status, answer

    def close(self) -> None:
        """Close the connections."""
        self._post.close()

    def unacknowledged(self) -> list[int]:
        """Return the numbers of the events that never got a 2xx."""
        return [number for number, known in enumerate(self.acknowledged) if not known]


def callback_of(storm: Storm, number: int) -> Callback:
    """Return an event of a storm as a callback to deliver."""
    event = storm.event(number)
    return Callback(
        id=number, source="ses", due_at=0.0, body=event.body, content_type="application/json",
        message_id=event.message_id, recipient=event.recipient, event=event.event, attempt=1,
    )  # fmt: skip
