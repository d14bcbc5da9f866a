"""``mailtrail demo``: the whole job on this machine, told step by step and checked at the end.

Real HTTP throughout: a localcloud of its own in another process, mails through the gateway, callbacks through the
webhook, timers, and the bucket read back with the COS SDK.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import requests
from rich.console import Console
from rich.table import Table

from cli import target
from cli.demo_expectations import EXPECTATIONS, Found, differences
from localcloud import defaults
from localcloud.listening import bind_ports
from shared.edge.clock import clock
from shared.edge.settings import report_settings, send_settings
from shared.trail.layout import events_prefix, manifest_key, report_key
from shared.trail.records import day_of, decode_lines
from shared.trail.store import Place, Store
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDER = f"Acme <noreply@{defaults.SENDER_DOMAIN}>"
UP_WITHIN_S = 20


class DemoError(Exception):
    """A step did not do what it must."""


@click.command("demo")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the data in this folder.")
def demo_command(keep: Path | None) -> None:
    """Send, receive callbacks, snapshot and report on this machine; exit 0 only if all of it held."""
    console = Console(width=max(Console().width, 130), highlight=False)
    with contextlib.ExitStack() as stack:
        data = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailtrail-demo-")))
        try:
            port = stack.enter_context(_localcloud(data))
            good = Story(console, port).tell()
        except (DemoError, requests.RequestException) as error:
            log = (data / "localcloud.log").read_text(errors="replace")[-3000:]
            raise click.ClickException(f"{error}\n{log}") from error
    if not good:
        raise click.ClickException("the demo did not hold")
    console.print("Everything held.")


@contextlib.contextmanager
def _localcloud(data: Path) -> Iterator[int]:
    """Run ``mailtrail up`` on free ports; end it at the end."""
    sockets = bind_ports(0)
    port: int = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    data.mkdir(parents=True, exist_ok=True)
    code = Path(__file__).parent.parent
    command = [sys.executable, "-m", "cli", "up", "--port", str(port), "--data", str(data), "--code", str(code)]
    with (data / "localcloud.log").open("wb") as log:
        process = subprocess.Popen([*command, "--no-timers"], stdout=log, stderr=subprocess.STDOUT, cwd=code)
        try:
            _wait_until_up(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise DemoError(f"localcloud ended with {process.returncode}")
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=2).ok:
                return
        time.sleep(0.05)
    raise DemoError(f"localcloud did not come up within {UP_WITHIN_S} s")


class Story:
    """The steps, over one running localcloud."""

    def __init__(self, console: Console, port: int) -> None:
        self._say = console.print
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._environment = self._settings_now()
        self._step_over_midnight()
        settings = report_settings(self._environment)
        self._store = Store(Place(*settings.credential, *settings.bucket))
        self._offset_s = settings.utc_offset_s
        self._message_ids: dict[str, str] = {}

    def tell(self) -> bool:
        """Run every step; whether the table at the end held."""
        self._say(
            f"[bold]1. localcloud[/] is up on {self._url}: SES, COS, SendCloud and the functions of serverless.yml."
        )
        self._send_mails()
        self._bad_mail()
        self._batch_task()
        self._sendcloud_mail()
        self._callbacks()
        day = day_of(self._now(), self._offset_s)
        self._snapshot(day)
        self._report(day)
        return self._check(day)

    def _settings_now(self) -> dict[str, str]:
        return {**os.environ, **target.local_environment(self._port)}

    def _now(self) -> float:
        return clock(self._settings_now())()

    def _step_over_midnight(self) -> None:
        """Start the story after midnight when it is near, so that all of it is one day's."""
        offset_s = report_settings(self._environment).utc_offset_s
        if day_of(self._now(), offset_s) != day_of(self._now() + 300, offset_s):
            self._control("clock", {"advance_s": 300})
            self._environment = self._settings_now()

    def _http(self, method: str, path: str, **request: Any) -> requests.Response:
        return requests.request(method, f"{self._url}{path}", timeout=60, **request)

    def _control(self, path: str, body: Any) -> Any:
        answer = self._http("POST", f"/_local/{path}", json=body)
        if not answer.ok:
            raise DemoError(f"/_local/{path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _send_mails(self) -> None:
        self._say("\n[bold]2. POST /send[/], one mail to each simulator address; each is a TC3-signed SendEmail.")
        *alone, one, two, three = EXPECTATIONS
        for name in alone:
            answer = self._post_mail(name, {"to": [f"{name}@{defaults.SIMULATOR_DOMAIN}"]})
            if answer.status_code != 202:
                raise DemoError(f"{name}: {answer.status_code} {answer.text}")
            self._message_ids[name] = answer.json()["message_id"]
            self._say(f"   202 {name:<12} {self._message_ids[name]}")
        again = self._post_mail("delivered", {"to": [f"delivered@{defaults.SIMULATOR_DOMAIN}"]})
        if not again.json().get("duplicate"):
            raise DemoError(f"a repeat with the same Idempotency-Key was sent again: {again.text}")
        self._say("   The first one repeated with its Idempotency-Key: the first answer again, no second mail.")
        self._send_batch([one, two, three])

    def _send_batch(self, names: list[str]) -> None:
        people = [{"to": f"{name}@{defaults.SIMULATOR_DOMAIN}", "metadata": {"demo": name}} for name in names]
        for found in (people[:2], people):  # the second completes what was missing in the first
            answer = self._post_mail("batch", {"recipients": found}, path="/send/batch")
            if answer.status_code != 202:
                raise DemoError(f"POST /send/batch: {answer.status_code} {answer.text}")
        told = answer.json()
        if (told["accepted"], told["duplicates"]) != (3, 2):
            raise DemoError(f"a batch that was repeated with one more person: {answer.text}")
        self._message_ids |= {name: result["message_id"] for name, result in zip(names, told["results"], strict=True)}
        self._say("   POST /send/batch to two people, and again with a third: two first answers, one more mail.")

    def _post_mail(self, key: str, more: dict[str, Any], *, path: str = "/send") -> requests.Response:
        body = {"from": SENDER, "subject": "Your code", "template": {"id": 100091, "data": {"code": "1234"}}}
        body |= {"metadata": {"demo": key}, **more}
        headers = {"Authorization": f"Bearer {defaults.SEND_KEY}", "Idempotency-Key": f"demo-{key}"}
        return self._http("POST", path, json=body, headers=headers)

    def _bad_mail(self) -> None:
        many = [f"someone{number}@example.com" for number in range(51)]
        answer = self._post_mail("bad", {"to": many, "from": "A:cme <noreply@mail.example.com>", "bcc": many[:1]})
        problems = answer.json().get("errors", [])
        if answer.status_code != 400 or len(problems) < 3:
            raise DemoError(f"a bad mail was answered {answer.status_code}: {answer.text}")
        self._say("   A bad one (400), every problem at once, nothing sent:")
        for problem in problems:
            self._say(f"       {problem['field']}: {problem['problem']}")

    def _batch_task(self) -> None:
        settings = send_settings(self._environment)
        site, region, endpoint, _ = settings.ses
        now = clock(self._environment)
        ses = SesClient(Credential(*settings.credential), site=site, clock=now, region=region, endpoint=endpoint)
        task = {"FromEmailAddress": SENDER, "ReceiverId": 123, "Subject": "News", "TaskType": 1}
        task |= {"Template": {"TemplateID": 100091, "TemplateData": '{"code":"news"}'}}
        task_id = ses.call("BatchSendEmail", task)["TaskId"]
        self._say(f"\n[bold]3. BatchSendEmail[/] to the local receiver list: task {task_id}.")

    def _sendcloud_mail(self) -> None:
        settings = self._environment
        form = {"apiUser": settings["SENDCLOUD_API_USER"], "apiKey": settings["SENDCLOUD_API_KEY"]}
        form |= {"from": f"noreply@{defaults.SENDER_DOMAIN}", "subject": "Hello", "plain": "Hello"}
        form |= {"to": f"delivered@{defaults.SIMULATOR_DOMAIN};hard-bounce@{defaults.SIMULATOR_DOMAIN}"}
        answer = requests.post(f"{settings['SENDCLOUD_ENDPOINT']}/mail/send", data=form, timeout=10).json()
        if answer.get("result") is not True:
            raise DemoError(f"SendCloud mail/send: {answer}")
        self._say(f"   SendCloud mail/send: {len(answer['info']['emailIdList'])} mails.")

    def _callbacks(self) -> None:
        self._say("\n[bold]4. Callbacks[/]: every one is delivered three times, to show that the trail does not care.")
        self._control("faults", [{"service": "callback", "kind": "duplicate", "probability": 1.0, "times": None}])
        self._control("clock", {"advance_s": 10})
        history = self._http("GET", "/_local/callbacks?limit=1000").json()
        answers = {attempt["status"] for callback in history for attempt in callback["attempts"]}
        if not history or answers != {200}:
            raise DemoError(f"callbacks were answered {answers or 'not at all'}")
        self._say(f"   {len(history)} events have happened; the webhook answered 200 to all, after COS had them.")

    def _snapshot(self, day: str) -> None:
        result = self._control("timers/snapshot", {"message": json.dumps({"day": day})})
        self._say("\n[bold]5. The snapshot timer[/] saves GetSendEmailStatus, ListSendTasks and SendCloud emailStatus.")
        for one in result["snapshots"]:
            self._say(
                f"   {one['source']:<10} {one.get('rows', 0)} rows, {'complete' if one['complete'] else one['why']}"
            )
        if not result["complete"]:
            raise DemoError("a snapshot is not complete")

    def _report(self, day: str) -> None:
        self._control("timers/report", {"message": json.dumps({"day": day})})
        self._say("\n[bold]6. The report timer[/] has written the day's report. What lies in the bucket now:")
        for entry in self._store.iterate(""):
            self._say(f"   {entry.size_bytes:>7} {entry.key}")

    def _check(self, day: str) -> bool:
        self._say(f"\n[bold]7. The check[/], read back with the COS SDK: {day}.")
        table = Table("Address", "Events", "Status row", "Report", "Held")
        good = True
        for name, expected in EXPECTATIONS.items():
            found = self._find(day, name)
            wrong = differences(expected, found)
            good &= not wrong
            codes = f"{found.status.get('send_status')}/{found.status.get('deliver_status')}"
            report = f"{found.report.get('outcome')} {expected.engagement}"
            table.add_row(name, " ".join(sorted(found.events)), codes, report, "; ".join(wrong) or "yes")
        self._say(table)
        return good and self._check_rest(day)

    def _find(self, day: str, name: str) -> Found:
        message_id = self._message_ids[name]
        events = [e for e in self._lines(events_prefix(day)) if e["message_id"] == message_id]
        if not all(event["verified"] and event["metadata"] == {"demo": name} for event in events):
            raise DemoError(f"{name}: an event came back without its metadata")
        manifest = json.loads(self._store.get(manifest_key("status", day)) or b"{}")
        parts = [self._store.get(part["key"]) or b"" for part in manifest.get("parts", ())]
        rows = [r for r in decode_lines(b"".join(parts).splitlines()) if r["message_id"] == message_id]
        table = csv.DictReader(io.StringIO((self._store.get(report_key(day, "csv")) or b"").decode("utf-8-sig")))
        told = [row for row in table if row["message_id"] == message_id]
        types = frozenset(event["type"] for event in events)
        return Found(types, rows[0] if len(rows) == 1 else {}, told[0] if len(told) == 1 else {})

    def _lines(self, prefix: str) -> Iterator[dict[str, Any]]:
        for entry in self._store.iterate(prefix):
            yield from decode_lines((self._store.get(entry.key) or b"").splitlines())

    def _check_rest(self, day: str) -> bool:
        """Events are stored once though delivered three times; the task and SendCloud are in the report."""
        report = json.loads(self._store.get(report_key(day, "json")) or b"{}")
        once = report["events"]["distinct"] == report["events"]["lines"]
        tasks = [task["status_text"] for task in report["tasks"]]
        sendcloud = report["sendcloud"]["by_type"]
        self._say(f"   Events: {report['events']['distinct']} distinct in {report['events']['lines']} lines.")
        self._say(f"   Tasks in the report: {', '.join(tasks)}. SendCloud: {sendcloud}.")
        return once and tasks == ["done"] and sendcloud == {"delivered": 1, "bounced": 1}
