"""The snapshot function as SCF has it: each invocation a process of its own, here in time that is moved.

    python -m benchmarks.snapshot_worker

It imports the function and forks for each order, a line of JSON on its standard input; it prints the process id, then,
when that process has ended, its exit status. The settings are its environment. An order is:

    time    the file of the time it lives in (benchmarks/snapshot_time.py)
    asked   the file that it notes its requests at SES in, when it sends them: time, action, day, offset
    told    the file that it writes in at last: what the function returned, when it began and ended, what memory it took
    log     the file that the function's log goes to
    limit_s, message    of the invocation
    still   at which time its wall clock stands still, or null: what it writes then does not depend on how fast it was
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.snapshot_time import SharedTime
from functions.snapshot import handler
from functions.snapshot.pace import Pace
from shared.upstream.ses import SesClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def main() -> None:
    """Fork for each order, one after the other."""
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _invoke(json.loads(line))
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _invoke(order: Mapping[str, Any]) -> None:
    """Run the function, and end this process."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    try:
        time = SharedTime(order["time"])
        _live_in(time, order["still"])
        _note_requests(time, order["asked"])
        begun = time.now()
        event = {"Type": "Timer", "TriggerName": "snapshot", "Time": "", "Message": order["message"]}
        context = {"request_id": f"benchmark-{os.getpid()}", "time_limit_in_ms": round(order["limit_s"] * 1000)}
        returned = handler.main_handler(event, context)
        told = {"returned": returned, "begun": begun, "ended": time.now(), "peak_rss_mb": _peak_rss_mb()}
        Path(order["told"]).write_text(json.dumps(told), encoding="utf-8")
        os._exit(0)
    except BaseException:  # noqa: BLE001 - it is told, and the process ends
        traceback.print_exc()
    finally:
        os._exit(1)


def _live_in(time: SharedTime, still: float | None) -> None:
    def pace(rate_per_s: float, **options: Any) -> Pace:
        return Pace(rate_per_s, monotonic=time.monotonic, sleep=time.sleep, **options)

    def time_left(context: Mapping[str, Any], margin_s: float) -> Callable[[], float]:
        end = time.monotonic() + context["time_limit_in_ms"] / 1000 - margin_s
        return lambda: end - time.monotonic()

    def clock(_environ: Mapping[str, str]) -> Callable[[], float]:
        return time.now if still is None else lambda: still

    for name, ours in {"Pace": pace, "time_left": time_left, "clock": clock}.items():
        setattr(handler, name, ours)


def _note_requests(time: SharedTime, path: str) -> None:
    asked, call = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), SesClient.call

    def noted(client: SesClient, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        with time.under_way():
            line = f"{time.now():.6f} {action} {payload.get('RequestDate', '-')} {payload['Offset']}\n"
            os.write(asked, line.encode())  # one write: a killed process leaves whole lines
            return call(client, action, payload)

    SesClient.call = noted  # type: ignore[method-assign, assignment]


def _peak_rss_mb() -> float:
    # VmHWM, not ru_maxrss: that one begins with what the process had before exec.
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return round(int(found[1]) / 1024, 1) if found else 0.0


if __name__ == "__main__":
    main()
