"""What the local SendCloud remembers."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS email (
    id INTEGER PRIMARY KEY, email_id TEXT NOT NULL UNIQUE, message_id TEXT NOT NULL, api_user TEXT NOT NULL,
    recipient TEXT NOT NULL, label_id TEXT NOT NULL, status INTEGER NOT NULL, sub_status INTEGER,
    requested_at REAL NOT NULL, modified_at REAL NOT NULL, send_log TEXT NOT NULL, user_headers TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS email_requested ON email (requested_at, id);
CREATE INDEX IF NOT EXISTS email_message ON email (message_id, id);
CREATE INDEX IF NOT EXISTS email_recipient ON email (recipient, requested_at);
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email INTEGER NOT NULL, due_at REAL NOT NULL, event TEXT NOT NULL,
    sub_status INTEGER, log TEXT NOT NULL, url TEXT NOT NULL, useragent TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS step_due ON step (due_at, id);
"""
TABLES = ("email", "step")

INSERT_EMAIL = """INSERT INTO email (email_id, message_id, api_user, recipient, label_id, status, sub_status,
    requested_at, modified_at, send_log, user_headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_STEP = "INSERT INTO step (email, due_at, event, sub_status, log, url, useragent) VALUES (?, ?, ?, ?, ?, ?, ?)"
