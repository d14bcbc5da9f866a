-- What `mailtrail query` offers, made of the lines as they lie in the bucket (schema `lines`: every member is text, or
-- JSON where it has parts, so that no odd value can spoil a file; a line that is no JSON is a row of NULLs).
-- Times are TIMESTAMP in UTC; dt and hour are the partition, in the account's zone. A value that does not fit is NULL.

-- Each event once. Of copies: the verified one, then the one received first, then by content.
CREATE VIEW events AS
SELECT
    event_id, source, type, class, reason, fault,
    message_id, recipient, lower(split_part(recipient, '@', -1)) AS domain,
    TRY_CAST(occurred_at AS TIMESTAMP) AS occurred_at,
    TRY_CAST(received_at AS TIMESTAMP) AS received_at,
    coalesce(verified = 'true', false) AS verified,
    machine, smtp, enhanced, link,
    TRY_CAST(template_id AS BIGINT) AS template_id,
    task_id, metadata, raw, TRY_CAST(v AS INTEGER) AS v, dt, hour
FROM (
    SELECT * FROM lines.events WHERE event_id IS NOT NULL AND event_id NOT IN (SELECT event_id FROM lines.repeated)
    UNION ALL BY NAME
    SELECT * FROM lines.kept
);

-- The rows of GetSendEmailStatus (source ses) and of emailStatus (source sendcloud) that the manifests name.
CREATE VIEW status AS
SELECT
    source, TRY_CAST(day AS DATE) AS day, message_id, recipient,
    lower(split_part(recipient, '@', -1)) AS domain, sender,
    TRY_CAST(send_status AS INTEGER) AS send_status,
    TRY_CAST(deliver_status AS INTEGER) AS deliver_status,
    type, class, reason, fault, deliver_message,
    TRY_CAST(requested_at AS TIMESTAMP) AS requested_at,
    TRY_CAST(delivered_at AS TIMESTAMP) AS delivered_at,
    coalesce(opened = 'true', false) AS opened,
    coalesce(clicked = 'true', false) AS clicked,
    coalesce(unsubscribed = 'true', false) AS unsubscribed,
    coalesce(complained = 'true', false) AS complained,
    TRY_CAST(fetched_at AS TIMESTAMP) AS fetched_at,
    raw, TRY_CAST(v AS INTEGER) AS v, dt
FROM (
    SELECT 'ses' AS source, * FROM lines.status
    UNION ALL BY NAME
    SELECT 'sendcloud' AS source, * FROM lines.sendcloud
)
WHERE type IS NOT NULL;

-- Batch tasks, at each time that they were listed: the latest list has the greatest fetched_at.
CREATE VIEW tasks AS
SELECT
    task_id,
    TRY_CAST(status AS INTEGER) AS status,
    TRY_CAST(task_type AS INTEGER) AS task_type,
    TRY_CAST(requested AS BIGINT) AS requested,
    TRY_CAST(sent AS BIGINT) AS sent,
    TRY_CAST(cached AS BIGINT) AS cached,
    TRY_CAST(created_at AS TIMESTAMP) AS created_at,
    TRY_CAST(updated_at AS TIMESTAMP) AS updated_at,
    subject, error,
    TRY_CAST(fetched_at AS TIMESTAMP) AS fetched_at,
    raw, TRY_CAST(v AS INTEGER) AS v, dt
FROM lines.tasks WHERE task_id IS NOT NULL;

-- What befell batch tasks: a row when one appeared in the list, or when its status, a count or its error was another
-- than an hour before. "before" (NULL when it appeared) and "after" have these.
CREATE VIEW task_changes AS
SELECT
    task_id, TRY_CAST("at" AS TIMESTAMP) AS "at", change,
    TRY_CAST("before"->>'$.status' AS INTEGER) AS status_before,
    TRY_CAST("after"->>'$.status' AS INTEGER) AS status,
    "after"->>'$.error' AS error,
    "before", "after", subject, TRY_CAST(v AS INTEGER) AS v, dt
FROM lines.task_changes WHERE task_id IS NOT NULL;

-- Accepted sends, a row for each mail.
CREATE VIEW sends AS
SELECT
    message_id, request_id, key_sha256, sender,
    TRY_CAST(recipients AS VARCHAR[]) AS recipients,
    TRY_CAST(template_id AS BIGINT) AS template_id,
    subject, metadata,
    TRY_CAST(accepted_at AS TIMESTAMP) AS accepted_at,
    TRY_CAST(v AS INTEGER) AS v, dt
FROM lines.sends WHERE message_id IS NOT NULL;

-- Addresses that get no mail, whatever the days asked for; without an "until", for good.
CREATE VIEW suppression AS
SELECT
    address, reason,
    TRY_CAST(since AS TIMESTAMP) AS since,
    TRY_CAST("until" AS TIMESTAMP) AS "until",
    source, event_id, message_id, detail, machine, note, causes, removals, TRY_CAST(v AS INTEGER) AS v
FROM lines.suppression WHERE address IS NOT NULL AND reason IS NOT NULL;

-- Callbacks that were not understood, verbatim.
CREATE VIEW quarantine AS
SELECT
    why, TRY_CAST(received_at AS TIMESTAMP) AS received_at, provider, headers, body, body_base64,
    TRY_CAST(v AS INTEGER) AS v, dt
FROM lines.quarantine WHERE why IS NOT NULL;

-- The state of each (message, recipient): the fold of its events, status rows and sends. Recipients in lower case.
CREATE VIEW messages AS SELECT {messages} FROM lines.messages;
