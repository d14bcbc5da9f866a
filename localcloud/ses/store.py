"""What the local SES remembers: the tables, and what is in them at birth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcloud.defaults import SENDER_DOMAIN, SIMULATOR_DOMAIN
from localcloud.simulator import PLANS

if TYPE_CHECKING:
    from localcloud.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, accepted_at REAL NOT NULL, sender TEXT NOT NULL,
    sender_address TEXT NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL, template_id INTEGER NOT NULL,
    smtp_message_id TEXT NOT NULL, echo TEXT NOT NULL, task_id INTEGER, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS status (
    day INTEGER NOT NULL, seq INTEGER NOT NULL, message_id TEXT NOT NULL, recipient TEXT NOT NULL, sender TEXT NOT NULL,
    send_status INTEGER NOT NULL DEFAULT 0, deliver_status INTEGER NOT NULL DEFAULT 0,
    deliver_message TEXT NOT NULL DEFAULT '', request_time INTEGER NOT NULL, deliver_time INTEGER NOT NULL DEFAULT 0,
    opened INTEGER NOT NULL DEFAULT 0, clicked INTEGER NOT NULL DEFAULT 0, unsubscribed INTEGER NOT NULL DEFAULT 0,
    complained INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS status_message ON status (message_id, day, seq);
CREATE INDEX IF NOT EXISTS status_recipient ON status (recipient, day, seq);
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, day INTEGER NOT NULL, seq INTEGER NOT NULL,
    send_status INTEGER NOT NULL, event TEXT NOT NULL, reason TEXT NOT NULL, bounce_type TEXT NOT NULL,
    link TEXT NOT NULL, useragent TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS step_due ON step (due_at, id);
CREATE TABLE IF NOT EXISTS task (
    task_id INTEGER PRIMARY KEY AUTOINCREMENT, created_at REAL NOT NULL, updated_at REAL NOT NULL, next_at REAL,
    sender TEXT NOT NULL, receiver_id INTEGER NOT NULL, receivers_name TEXT NOT NULL, status INTEGER NOT NULL,
    type INTEGER NOT NULL, request_count INTEGER NOT NULL DEFAULT 0, send_count INTEGER NOT NULL DEFAULT 0,
    cache_count INTEGER NOT NULL DEFAULT 0, subject TEXT NOT NULL, template_id INTEGER NOT NULL,
    template_data TEXT NOT NULL, cycle TEXT, timed TEXT, err_msg TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS task_created ON task (created_at, task_id);
CREATE INDEX IF NOT EXISTS task_next ON task (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS template (
    template_id INTEGER PRIMARY KEY, name TEXT NOT NULL, status INTEGER NOT NULL, html TEXT NOT NULL,
    text TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS identity (domain TEXT PRIMARY KEY, is_verified INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS receiver (
    receiver_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, status INTEGER NOT NULL,
    created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS receiver_detail (
    receiver_id INTEGER NOT NULL, email TEXT NOT NULL, template_data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS receiver_detail_list ON receiver_detail (receiver_id);
"""
# `status` is numbered densely within its day, so a page is found by its number and not by counting the rows before it.

TABLES = ("message", "status", "step", "task", "template", "identity", "receiver", "receiver_detail")

TEMPLATE_APPROVED = 0
TEMPLATE_PENDING = 1
RECEIVER_UPLOADED = 3
LOCAL_RECEIVER_ID = 123


def furnish(database: Database, now: float) -> None:
    """Put in what every local account is born with, unless it is there (facts: localcloud/defaults.py)."""
    with database.transaction():
        database.write("INSERT OR IGNORE INTO identity VALUES (?, 1)", (SENDER_DOMAIN,))
        database.write_many(
            "INSERT OR IGNORE INTO template VALUES (?, ?, ?, ?, ?, ?)",
            (
                (100091, "local-code", TEMPLATE_APPROVED, "<p>Your code is {{code}}.</p>", "Your code: {{code}}", now),
                (100092, "local-pending", TEMPLATE_PENDING, "<p>Hello {{name}}.</p>", "Hello {{name}}.", now),
            ),
        )
        if database.row("SELECT 1 FROM receiver WHERE receiver_id = ?", (LOCAL_RECEIVER_ID,)) is None:
            database.write(
                "INSERT INTO receiver VALUES (?, 'Local people', 'one of each outcome', ?, ?)",
                (LOCAL_RECEIVER_ID, RECEIVER_UPLOADED, now),
            )
            data = json.dumps({"code": "123456"})
            people = ((LOCAL_RECEIVER_ID, f"{name}@{SIMULATOR_DOMAIN}", data) for name in PLANS)
            database.write_many("INSERT INTO receiver_detail VALUES (?, ?, ?)", people)
