"""Every object key is as DESIGN section 6 has it, and no id from outside leaves its folder."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from shared.trail import layout

DAY = "2026-11-20"
SHA = "ab" * 32
IDS = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    [
        "",
        ".",
        "..",
        "...",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "a\nb",
        "a%2Fb",
        "~",
        "x" * 201,
        "x" * 5000,
        "\ud800",
        "中文",
    ]
)


def test_keys_are_as_the_design_has_them():
    """One row a key; a change here is a change of the bucket."""
    assert layout.send_key(DAY, "qcloud-ses-1@mail.example.com") == (
        "sends/dt=2026-11-20/qcloud-ses-1@mail.example.com.jsonl"
    )
    assert layout.claim_key(SHA, 0) == f"ledger/send/{SHA}/claim-0.json"
    assert layout.outcome_key(SHA, 12) == f"ledger/send/{SHA}/outcome-12.json"
    assert layout.resolved_key(SHA, 2) == f"ledger/send/{SHA}/resolved-2.json"
    assert layout.uncertain_key(DAY, SHA, 0) == f"state/send/uncertain/dt=2026-11-20/{SHA}-0.json"
    assert layout.event_key(DAY, "08", SHA) == f"events/dt=2026-11-20/hour=08/{SHA}.jsonl"
    assert layout.quarantine_key(DAY, SHA) == f"quarantine/dt=2026-11-20/{SHA}.json"
    assert layout.part_key("status", DAY, 1, 7) == "status/dt=2026-11-20/pass=1/part-00007.jsonl"
    assert layout.part_key("sendcloud", DAY, 2, 123456) == "sendcloud/dt=2026-11-20/pass=2/part-123456.jsonl"
    assert layout.manifest_key("status", DAY) == "status/dt=2026-11-20/manifest.json"
    assert layout.tasks_key(DAY, "2026-11-20T08:10:00Z") == "tasks/dt=2026-11-20/2026-11-20T081000Z.jsonl"
    assert layout.report_key(DAY, "html") == "reports/dt=2026-11-20/report.html"
    assert layout.merged_name(SHA) == f"merged-{SHA}.jsonl"
    assert layout.merge_log_key(DAY, "08", 3) == "state/report/merged/dt=2026-11-20/hour=08/3.json"
    assert layout.lease_key("report/x", DAY, 3) == "state/report/x/lease/dt=2026-11-20/3.json"
    assert layout.lease_over_key("report/x", DAY, 3) == "state/report/x/lease/dt=2026-11-20/3-over.json"
    assert layout.refused_key(DAY, "ab12") == "state/webhook/refused/dt=2026-11-20/ab12.json"
    assert layout.used_token_key(DAY, SHA) == f"state/webhook/tokens/dt=2026-11-20/{SHA}.json"
    assert layout.suppression_key(" Alice@Example.com ") == layout.suppression_key("alice@example.com")
    assert layout.suppression_key("alice@example.com").startswith("suppression/ff8d9819")
    assert layout.reconciled_key("status", DAY) == "state/report/reconciled/status/dt=2026-11-20.json"
    assert layout.reconciled_key("status", DAY).startswith(layout.reconciled_prefix("status"))
    assert layout.manifest_key("status", DAY).startswith(layout.rows_prefix("status"))
    assert layout.task_changes_prefix(DAY) == "task-changes/dt=2026-11-20/"
    assert layout.applied_key(DAY) == "state/report/suppression/dt=2026-11-20.json"


def test_the_keys_of_a_bulk_task_lie_below_its_own():
    """All but the claim below one life of the key, which ends as a whole; what is known of a task outlives both."""
    assert layout.task_claim_key(SHA) == f"ledger/tasks/{SHA}/claim.json"
    life = f"ledger/tasks/{SHA}/life-ab12/"
    assert layout.task_audience_key(SHA, "ab12") == f"{life}audience.json"
    assert layout.task_list_key(SHA, "ab12", 1) == f"{life}list-1.json"
    assert layout.task_step_key(SHA, "ab12", "upload-1-4", 0) == f"{life}upload-1-4-0.json"
    assert layout.task_outcome_key(SHA, "ab12", "send", 2, "cd34") == f"{life}send-2-cd34.json"
    assert layout.task_resolved_key(SHA, "ab12", "send", 2) == f"{life}send-2-resolved.json"
    assert layout.task_over_key(SHA, "ab12") == f"{life}over.json"
    assert layout.sent_task_key("123") == "state/send/tasks/123.json"
    assert ".." not in layout.sent_task_key("../../ledger")


def test_a_prefix_holds_the_keys_of_its_day_and_of_no_other():
    """Prefixes end with a slash: ``dt=2026-11-2`` must not list the twenties."""
    pairs = [
        (layout.events_prefix, layout.event_key(DAY, "08", SHA)),
        (layout.sends_prefix, layout.send_key(DAY, "m")),
        (layout.quarantine_prefix, layout.quarantine_key(DAY, SHA)),
        (layout.refused_prefix, layout.refused_key(DAY, "ab12")),
        (layout.used_tokens_prefix, layout.used_token_key(DAY, SHA)),
        (layout.tasks_prefix, layout.tasks_key(DAY, "2026-11-20T08:10:00Z")),
    ]
    for prefix, key in pairs:
        assert key.startswith(prefix(DAY))
        assert not key.startswith(prefix("2026-11-2"))
        assert prefix(DAY).endswith("/")


def test_part_keys_list_in_the_order_of_their_numbers():
    """LIST is in byte order."""
    keys = [layout.part_key("status", DAY, 1, number) for number in range(0, 12000, 7)]
    assert keys == sorted(keys)


@given(IDS)
@example("..")
@example("0.")
@example(".\n")
@example("a/../b")
def test_an_id_from_outside_stays_in_its_folder(message_id: str):
    """One segment below the day, printable ASCII, no ``..``, short enough for COS (850 bytes)."""
    key = layout.send_key(DAY, message_id)
    folder, _, name = key.rpartition("/")
    assert folder == "sends/dt=2026-11-20"
    assert name.endswith(".jsonl")
    assert len(name) > len(".jsonl")
    assert ".." not in key
    assert key.isascii()
    assert key.isprintable()
    assert " " not in key
    assert len(key.encode()) <= 850


@given(IDS, IDS)
def test_two_ids_have_two_keys(first: str, second: str):
    """One send must not overwrite another's line."""
    assert (layout.send_key(DAY, first) == layout.send_key(DAY, second)) == (first == second)


@given(st.lists(IDS, unique=True, max_size=30))
def test_no_made_up_name_is_also_a_plain_one(ids: list[str]):
    """A cleaned id's name cannot be had by sending that name as an id."""
    names = {layout.send_key(DAY, message_id) for message_id in ids}
    assert len(names) == len(ids)
    for name in list(names):
        stem = name.removeprefix("sends/dt=2026-11-20/").removesuffix(".jsonl")
        assert stem in ids or layout.send_key(DAY, stem) != name


def test_the_prefix_of_all_events_of_a_day_and_of_an_hour():
    """Each within the one before."""
    assert layout.events_prefix() == "events/"
    assert layout.events_prefix(DAY, "08") == "events/dt=2026-11-20/hour=08/"
