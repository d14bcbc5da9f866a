"""What SES has acknowledged outlives SIGKILL, and threads do not step on each other."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

from tests.contract.ses_door import World

ROOT = Path(__file__).parents[2]
SENDER = """
import sys
from pathlib import Path
from tests.contract.ses_door import World

world = World(Path(sys.argv[1]))
while True:
    print(world.send("click@simulator.mailtrail.test", "a@example.com"), flush=True)
"""


def test_every_acknowledged_mail_is_there_after_sigkill(tmp_path):
    """A process that sends is killed in the middle; each MessageId it had printed has its rows and its events."""
    command = [sys.executable, "-c", SENDER, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(300)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    world = World(tmp_path)
    world.clock.advance(10)
    assert len(acknowledged) >= 300
    assert {message["message_id"] for message in world.service.messages(10**6)} >= set(acknowledged)
    world.service.pump()
    events = [json.loads(callback.body) for callback in world.callbacks.due(limit=10**6)]
    keys = [(event["bulkId"], event["email"], event["event"]) for event in events]
    assert len(set(keys)) == len(keys)
    expected = {(message_id, "a@example.com", "delivered") for message_id in acknowledged}
    clicks = {(message_id, "click@simulator.mailtrail.test", "click") for message_id in acknowledged}
    assert set(keys) >= expected | clicks
    world.close()


def test_a_file_of_an_older_version_is_opened_and_completed(tmp_path):
    """Tables get the columns that have come since, rows stay as they were."""
    connection = sqlite3.connect(tmp_path / "ses.sqlite3")
    connection.executescript("""
        CREATE TABLE template (template_id INTEGER PRIMARY KEY, name TEXT NOT NULL, status INTEGER NOT NULL,
            html TEXT NOT NULL, text TEXT NOT NULL, created_at REAL NOT NULL);
        CREATE TABLE identity (domain TEXT PRIMARY KEY, is_verified INTEGER NOT NULL);
        INSERT INTO template VALUES (7, 'old', 0, '', 'Hello {{code}}', 0);
        INSERT INTO identity VALUES ('old.example.com', 1);
    """)
    connection.close()
    world = World(tmp_path)
    assert world.call("GetEmailTemplate", {"TemplateID": 7})["TemplateName"] == "old"
    template = {"Template": {"TemplateID": 7, "TemplateData": '{"code": "1"}'}}
    assert world.send(FromEmailAddress="a@old.example.com", **template)
    world.close()


def test_threads_get_dense_pages_and_one_callback_each(tmp_path):
    """Four threads send while a fifth pumps: no row is missing, doubled or out of number."""
    world = World(tmp_path)
    # The local day has just begun, so the moved clock stays in it.
    world.clock.move_to((int(world.clock.now() + 8 * 3600) // 86400) * 86400 - 8 * 3600 + 1)
    day = world.today()
    sent: list[str] = []
    done = threading.Event()

    def send() -> None:
        sent.extend(world.send() for _ in range(60))

    def pump() -> None:
        while not done.is_set():
            world.clock.advance(0.5)
            world.service.pump()

    senders = [threading.Thread(target=send) for _ in range(4)]
    pumper = threading.Thread(target=pump)
    for thread in (pumper, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    done.set()
    pumper.join()
    rows = [row for offset in range(0, 300, 100) for row in world.rows(RequestDate=day, Offset=offset)]
    assert sorted(row["MessageId"] for row in rows) == sorted(sent)
    world.clock.advance(5)
    assert sorted(payload["bulkId"] for payload in world.payloads()) == sorted(sent)
    world.close()
