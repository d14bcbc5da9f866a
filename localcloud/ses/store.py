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
    complained INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS status_message ON status (message_id, day, seq);
DROP INDEX IF EXISTS status_recipient;
CREATE INDEX IF NOT EXISTS status_person ON status (recipient COLLATE NOCASE, day, seq);
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
    template_data TEXT NOT NULL, cycle TEXT, timed TEXT, err_msg TEXT NOT NULL DEFAULT '',
    began_at REAL NOT NULL DEFAULT 0, reached INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS task_created ON task (created_at, task_id);
CREATE INDEX IF NOT EXISTS task_next ON task (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS template (
    template_id INTEGER PRIMARY KEY, name TEXT NOT NULL, status INTEGER NOT NULL, html TEXT NOT NULL,
    text TEXT NOT NULL, created_at REAL NOT NULL, review_at REAL, verdict INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS identity (
    domain TEXT PRIMARY KEY, is_verified INTEGER NOT NULL, created_at REAL NOT NULL DEFAULT 0,
    dkim_option INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]', level INTEGER,
    raised_on INTEGER NOT NULL DEFAULT -1, judged_on INTEGER NOT NULL DEFAULT -1,
    banned_on INTEGER NOT NULL DEFAULT -1);
CREATE TABLE IF NOT EXISTS sender_address (
    address TEXT PRIMARY KEY, domain TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL,
    password TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS unsubscribe_config (
    address TEXT PRIMARY KEY, config TEXT NOT NULL, status INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS receiver (
    receiver_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, status INTEGER NOT NULL,
    created_at REAL NOT NULL, ready_at REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS receiver_detail (
    receiver_id INTEGER NOT NULL, email TEXT NOT NULL, template_data TEXT NOT NULL, created_at REAL NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 1, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS receiver_detail_list ON receiver_detail (receiver_id);
CREATE TABLE IF NOT EXISTS volume (
    day INTEGER NOT NULL, domain TEXT NOT NULL, mailbox TEXT NOT NULL, requested INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0,
    clicked INTEGER NOT NULL DEFAULT 0, bounced INTEGER NOT NULL DEFAULT 0, unsubscribed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, domain, mailbox)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sending_day (
    domain TEXT NOT NULL, day INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0, judged INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0, invalid INTEGER NOT NULL DEFAULT 0,
    spam INTEGER NOT NULL DEFAULT 0, complained INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (domain, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocked (
    email TEXT PRIMARY KEY, bounced_at REAL NOT NULL, until REAL NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS custom_block (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS unsubscription (
    email TEXT NOT NULL, domain TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (email, domain)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS abuse (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,
    sent_at REAL NOT NULL, complained_at REAL NOT NULL, template_id TEXT NOT NULL, smtp_message_id TEXT NOT NULL,
    subject TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS abuse_sent ON abuse (sent_at, id);
CREATE TABLE IF NOT EXISTS birth (at REAL NOT NULL);
"""
# `status` is numbered densely within its day, so a page is found by its number and not by counting the rows before it.

TABLES = (
    *("message", "status", "step", "task", "template", "identity", "sender_address", "unsubscribe_config", "receiver"),
    *("receiver_detail", "volume", "sending_day", "blocked", "custom_block", "unsubscription", "abuse", "birth"),
)

TEMPLATE_APPROVED, TEMPLATE_PENDING, TEMPLATE_REJECTED = 0, 1, 2
RECEIVER_EMPTY, RECEIVER_UPLOADING, RECEIVER_UPLOADED = 1, 2, 3
DETAIL_VALID, DETAIL_INVALID = 1, 2
LOCAL_RECEIVER_ID = 123


def furnish(database: Database, now: float) -> None:
    """Put in what every local account is born with, once: what is deleted afterwards stays deleted."""
    with database.transaction():
        if database.row("SELECT 1 FROM birth"):
            return
        database.write("INSERT INTO birth VALUES (?)", (now,))
        database.write(
            "INSERT OR IGNORE INTO identity (domain, is_verified, created_at) VALUES (?, 1, ?)", (SENDER_DOMAIN, now)
        )
        database.write(
            "INSERT OR IGNORE INTO sender_address (address, domain, name, created_at) VALUES (?, ?, 'Local', ?)",
            (f"noreply@{SENDER_DOMAIN}", SENDER_DOMAIN, now),
        )
        _furnish_templates(database, now)
        _furnish_receiver(database, now)


def _furnish_templates(database: Database, now: float) -> None:
    sql = "INSERT OR IGNORE INTO template (template_id, name, status, html, text, created_at) VALUES (?, ?, ?, ?, ?, ?)"
    approved = (100091, "local-code", TEMPLATE_APPROVED, "<p>Your code is {{code}}.</p>", "Your code: {{code}}", now)
    pending = (100092, "local-pending", TEMPLATE_PENDING, "<p>Hello {{name}}.</p>", "Hello {{name}}.", now)
    database.write_many(sql, (approved, pending))


def _furnish_receiver(database: Database, now: float) -> None:
    if database.row("SELECT 1 FROM receiver WHERE receiver_id = ?", (LOCAL_RECEIVER_ID,)):
        return
    head = (LOCAL_RECEIVER_ID, "Local people", "one of each outcome", RECEIVER_UPLOADED, now)
    database.write(
        "INSERT INTO receiver (receiver_id, name, description, status, created_at) VALUES (?, ?, ?, ?, ?)", head
    )
    data = json.dumps({"code": "123456"})
    people = ((LOCAL_RECEIVER_ID, f"{name}@{SIMULATOR_DOMAIN}", data, now) for name in PLANS)
    sql = "INSERT INTO receiver_detail (receiver_id, email, template_data, created_at) VALUES (?, ?, ?, ?)"
    database.write_many(sql, people)
