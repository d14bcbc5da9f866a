"""Every object key, in one place. ``D`` is a day of the account's zone, of the event's own time.

The days are Hive partitions (``dt=``, ``hour=``), which DuckDB, Spark and their like read as columns.
"""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._@=+-]|\.(?=\.|$)")  # no ".." either, nor with what follows
_EVENT_KEY = re.compile(r"events/dt=([0-9]{4}-[0-9]{2}-[0-9]{2})/hour=([0-9]{2})/([^/]+)")


def _name(text: str) -> str:
    """Make a key segment of an id that came from outside: short, printable, and one to one where it was already so."""
    cleaned = _UNSAFE.sub("_", text)
    if cleaned == text and 0 < len(text) <= 200:
        return text
    return f"{cleaned[:100]}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def send_key(day: str, message_id: str) -> str:
    """Return the key of the line of one accepted send."""
    return f"sends/dt={day}/{_name(message_id)}.jsonl"


def claim_key(key_sha256: str, generation: int) -> str:
    """Return the key that says who may send for an idempotency key; created only if absent."""
    return f"ledger/send/{key_sha256}/claim-{generation}.json"


def outcome_key(key_sha256: str, generation: int) -> str:
    """Return the key that says what came of that generation's claim."""
    return f"ledger/send/{key_sha256}/outcome-{generation}.json"


def abandoned_key(key_sha256: str, generation: int, nonce: str) -> str:
    """Return the key that says that the claim of this nonce was never used."""
    return f"ledger/send/{key_sha256}/abandoned-{generation}-{nonce}.json"


def resolved_key(key_sha256: str, generation: int) -> str:
    """Return the key that says what was found out of that generation's claim; created only if absent."""
    return f"ledger/send/{key_sha256}/resolved-{generation}.json"


def uncertain_key(day: str, key_sha256: str, generation: int) -> str:
    """Return the key that says that nobody knows what came of a claim of ``day``."""
    return f"{UNCERTAIN_PREFIX}dt={day}/{key_sha256}-{generation}.json"


def uncertain_task_key(key_sha256: str, life: str, attempt: int, nonce: str) -> str:
    """Return the key that says that nobody may learn what comes of an attempt, by its claim's nonce, at a bulk task."""
    return f"{UNCERTAIN_TASKS_PREFIX}{key_sha256}-{life}-{attempt}-{nonce}.json"


def bulk_mail_prefix(sender: str) -> str:
    """Return the prefix of what says until when bulk tasks of ``sender``, a bare address, may write."""
    return f"state/send/bulk/{hashlib.sha256(sender.strip().lower().encode('utf-8', 'surrogatepass')).hexdigest()}/"


def bulk_mail_key(sender: str, last_day: str, since_s: int, name: str) -> str:
    """Return the key that says that a task may write from ``since_s`` (epoch seconds) to the end of ``last_day``."""
    return f"{bulk_mail_prefix(sender)}{last_day}_{since_s}_{name}.json"


def fact_key(kind: str, name: str) -> str:
    """Return the key of what SES last told ``send``: of a ``domain``, its ``usage`` of the day, or a ``template``."""
    return f"state/send/facts/{kind}/{_name(name)}.json"


def turn_key(day: str, address: str, number: int) -> str:
    """Return the key of the right to write to an address in the ``number``-th part of an hour; created only if absent.

    ``day``: by which it expires.
    """
    sha256 = hashlib.sha256(address.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    return f"{turns_prefix()}dt={day}/{sha256}-{number}.json"


def turns_prefix() -> str:
    """Return the prefix of the rights to write to one address that has got much, of all days."""
    return "state/send/turns/"


def event_key(day: str, hour: str, sha256: str) -> str:
    """Return the key of the events of one callback that fall into one hour."""
    return f"events/dt={day}/hour={hour}/{sha256}.jsonl"


def merged_name(sha256: str) -> str:
    """Return the name, under an hour's ``events_prefix``, of what compaction made there; ``sha256``: of its bytes."""
    return f"merged-{sha256}.jsonl"


def merge_log_key(day: str, hour: str, number: int) -> str:
    """Return the key of the n-th line of an hour's merge log: which objects went into which; created only if absent."""
    return f"state/report/merged/dt={day}/hour={hour}/{number}.json"


def events_prefix(day: str = "", hour: str = "") -> str:
    """Return the prefix of events, raw and merged: of an hour, of a day, or of all days."""
    return "events/" + (f"dt={day}/" if day else "") + (f"hour={hour}/" if hour else "")


def parse_event_key(key: str) -> tuple[str, str, str] | None:
    """Return the day, the hour and the name of an object of events, raw or merged; None for any other key."""
    match = _EVENT_KEY.fullmatch(key)
    return None if match is None else (match[1], match[2], match[3])


def sends_prefix(day: str) -> str:
    """Return the prefix of a day's accepted sends."""
    return f"sends/dt={day}/"


def quarantine_key(day: str, sha256: str) -> str:
    """Return the key of a callback that was not understood."""
    return f"quarantine/dt={day}/{sha256}.json"


def quarantine_prefix(day: str = "") -> str:
    """Return the prefix of what was not understood, on a day or ever."""
    return "quarantine/" + (f"dt={day}/" if day else "")


def part_key(source: str, day: str, pass_number: int, part: int) -> str:
    """Return the key of one part of one pass over a day's rows. ``source``: ``status`` or ``sendcloud``."""
    return f"{source}/dt={day}/pass={pass_number}/part-{part:05d}.jsonl"


def checkpoint_key(source: str, day: str) -> str:
    """Return the key that says how far the pass over a day's rows has come. ``source``: ``status`` or ``sendcloud``."""
    return f"state/snapshot/{source}/dt={day}/checkpoint.json"


def spill_key(source: str, day: str, pass_number: int, write: int) -> str:
    """Return the key of what a pass under way has read; ``write`` counts the pass's writes of such."""
    return f"state/snapshot/{source}/dt={day}/pass-{pass_number}-spill-{write:05d}.jsonl"


def manifest_key(source: str, day: str) -> str:
    """Return the key of the manifest that names a day's parts. ``source``: ``status`` or ``sendcloud``."""
    return f"{source}/dt={day}/manifest.json"


def rows_prefix(source: str) -> str:
    """Return the prefix of all snapshots of ``source``: ``status`` or ``sendcloud``."""
    return f"{source}/dt="


def tasks_key(day: str, time_utc: str) -> str:
    """Return the key of the task list at one time. ``time_utc``: ISO 8601; colons are left out of the key."""
    return f"tasks/dt={day}/{time_utc.replace(':', '')}.jsonl"


def tasks_prefix(day: str) -> str:
    """Return the prefix of a day's task lists."""
    return f"tasks/dt={day}/"


def task_changes_key(day: str, time_utc: str) -> str:
    """Return the key of what changed in the task list until one time. ``time_utc``: ISO 8601, as in ``tasks_key``."""
    return f"{task_changes_prefix(day)}{time_utc.replace(':', '')}.jsonl"


def task_changes_prefix(day: str) -> str:
    """Return the prefix of a day's changes of tasks."""
    return f"task-changes/dt={day}/"


def task_claim_key(key_sha256: str) -> str:
    """Return the key that says that an idempotency key is a bulk task's; created only if absent."""
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/claim.json"


def task_list_key(key_sha256: str, life: str, number: int) -> str:
    """Return the key that says which list of SES is the n-th that was made for a task; created only if absent.

    ``life``: of one use of the idempotency key, as in all keys of a task but its claim.
    """
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/list-{number}.json"


def task_step_key(key_sha256: str, life: str, step: str, attempt: int) -> str:
    """Return the key that says who may call SES for a step of a task; created only if absent.

    ``step``: ``send``, or ``upload-<list>-<chunk>``.
    """
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/{step}-{attempt}.json"


def task_outcome_key(key_sha256: str, life: str, step: str, attempt: int, nonce: str) -> str:
    """Return the key that says what came of that attempt, in the words of who made it (``nonce``)."""
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/{step}-{attempt}-{nonce}.json"


def task_resolved_key(key_sha256: str, life: str, step: str, attempt: int) -> str:
    """Return the key that says what was found out of an attempt nobody heard of; created only if absent."""
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/{step}-{attempt}-resolved.json"


def task_audience_key(key_sha256: str, life: str) -> str:
    """Return the key that says which recipients of a task were on the suppression list; created only if absent."""
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/audience.json"


def task_over_key(key_sha256: str, life: str) -> str:
    """Return the key that says that this life of an idempotency key is over, and its objects may go."""
    return f"{TASKS_LEDGER_PREFIX}{key_sha256}/life-{life}/over.json"


def sent_task_key(task_id: str) -> str:
    """Return the key of what is known of a batch task that we made; created only if absent."""
    return f"state/send/tasks/{_name(task_id)}.json"


def report_key(day: str, extension: str) -> str:
    """Return the key of a day's report; ``extension``: html, json or csv."""
    return f"reports/dt={day}/report.{extension}"


def reports_prefix() -> str:
    """Return the prefix of the reports of all days."""
    return "reports/"


def lease_key(scope: str, day: str, generation: int) -> str:
    """Return the key that says who works in ``scope`` (``report/compaction``); created only if absent. ``day``: UTC."""
    return f"state/{scope}/lease/dt={day}/{generation}.json"


def lease_prefix(scope: str) -> str:
    """Return the prefix of all leases of ``scope``."""
    return f"state/{scope}/lease/"


def lease_over_key(scope: str, day: str, generation: int) -> str:
    """Return the key that says that the holder of that generation is done."""
    return f"state/{scope}/lease/dt={day}/{generation}-over.json"


def refused_key(day: str, instance: str) -> str:
    """Return the key of one webhook instance's count of refused requests on a day."""
    return f"{refused_prefix(day)}{instance}.json"


def refused_prefix(day: str = "") -> str:
    """Return the prefix of the counts of refused requests, of a day or of all."""
    return "state/webhook/refused/" + (f"dt={day}/" if day else "")


def used_token_key(day: str, sha256: str) -> str:
    """Return the key that says that a SendCloud webhook token of ``day`` was used; created only if absent."""
    return f"{used_tokens_prefix(day)}{sha256}.json"


def used_tokens_prefix(day: str = "") -> str:
    """Return the prefix of the SendCloud webhook tokens that were used, of a day or of all."""
    return "state/webhook/tokens/" + (f"dt={day}/" if day else "")


def unsubscribed_key(sha256: str) -> str:
    """Return the key of a note that somebody unsubscribed, which the report timer has yet to merge."""
    return f"{UNSUBSCRIBED_PREFIX}{sha256}.json"


def suppression_key(address: str) -> str:
    """Return the key of an address that gets no mail; the case of letters does not count."""
    sha256 = hashlib.sha256(address.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    return f"{SUPPRESSION_PREFIX}{sha256}.json"


def applied_key(day: str) -> str:
    """Return the key that says which of a day's events the suppression list knows already."""
    return f"{APPLIED_PREFIX}dt={day}.json"


def reconciled_key(source: str, day: str) -> str:
    """Return the key of what came of a day's status rows against its events. ``source``: as in ``manifest_key``."""
    return f"{reconciled_prefix(source)}{day}.json"


def reconciled_prefix(source: str) -> str:
    """Return the prefix of that for all days of ``source``."""
    return f"state/report/reconciled/{source}/dt="


CALLBACK_TOKEN_REFUSED_KEY = "state/send/callback-token-refused.json"  # noqa: S105 - a key of the bucket
"""Says that SES refused the header that carries our token, and when; its events are stored unverified."""
UNSUBSCRIBE_REFUSED_KEY = "state/send/unsubscribe-refused.json"
"""Says that SES refused the headers List-Unsubscribe and List-Unsubscribe-Post, and when."""
EXPIRY_KEY = "state/report/expiry.json"
"""How far the walk over what expires has come."""
TASKS_EXPIRY_KEY = "state/report/task-expiry.json"
"""When the ledger of bulk tasks was last gone through."""
LAST_TASKS_KEY = "state/snapshot/tasks.json"
"""When the task list was last taken, and under which key."""
UNSUBSCRIBED_PREFIX = "state/webhook/unsubscribed/"
SUPPRESSION_PREFIX = "suppression/"
APPLIED_PREFIX = "state/report/suppression/"
LEDGER_PREFIX = "ledger/send/"
TASKS_LEDGER_PREFIX = "ledger/tasks/"
UNCERTAIN_PREFIX = "state/send/uncertain/"
UNCERTAIN_TASKS_PREFIX = "state/send/uncertain-tasks/"
