"""`mailtrail suppression`: list, add, remove, import, export, undo and restore, over the list that callbacks made."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cli import suppression_changes
from cli.main import main
from cli.suppression import suppression_command
from shared.trail import suppression_list, suppression_rules
from shared.trail.layout import suppression_key
from shared.trail.lease import give_back, take
from shared.trail.suppression import REPEAT_S
from tests.handlers import EVENT, NOW, bucket, call_back, write_report
from tests.suppressed import BOUNCE, COMPLAINT, holding, listed, store

if TYPE_CHECKING:
    from localcloud import LocalCloud

ROOT = Path(__file__).parents[2]
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"


def mailtrail(*arguments: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
    """Run `mailtrail suppression …` in this process, over the cloud of the environment."""
    done = CliRunner().invoke(main, ["suppression", *arguments], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def told(*arguments: str) -> list[dict[str, Any]]:
    """Read what `list --json` prints."""
    found: list[dict[str, Any]] = json.loads(mailtrail("list", "--json", *arguments).stdout)
    return found


def addresses(*arguments: str) -> set[str]:
    return {one["address"] for one in told(*arguments)}


@pytest.fixture
def suppressed(cloud: LocalCloud) -> LocalCloud:
    """Let Alice bounce at 08:00 and Bob complain at 08:05."""
    call_back(BOUNCE)
    call_back({**COMPLAINT, "timestamp": EVENT["timestamp"] + 300})
    write_report()
    return cloud


def test_list_shows_who_gets_no_mail_and_why(suppressed: LocalCloud) -> None:
    shown = mailtrail("list").stdout
    assert ALICE in shown
    assert "hard_bounce" in shown
    assert "invalid_recipient" in shown
    assert {one["address"]: (one["reason"], one["active"]) for one in told()} == {
        ALICE: ("hard_bounce", True), BOB: ("complaint", True),
    }  # fmt: skip


def test_causes_are_chosen_by_reason_time_and_source(suppressed: LocalCloud) -> None:
    for options, found in (
        (["--reason", "complaint"], {BOB}),
        (["--since", "2026-11-20T08:01:00Z"], {BOB}),
        (["--until", "2026-11-20T08:01:00Z"], {ALICE}),
        (["--since", "2026-11-20"], {ALICE, BOB}),
        (["--until", "2026-11-19"], set()),
        (["--since", "7m"], {BOB}),
        (["--source", "ses"], {ALICE, BOB}),
        (["--source", "sendcloud"], set()),
        (["--machine"], set()),
        (["--reason", "complaint", "--until", "2026-11-20T08:01:00Z"], set()),
    ):
        assert addresses(*options) == found, options


def test_add_for_good_for_some_days_and_to_what_is_there(suppressed: LocalCloud) -> None:
    assert mailtrail("add", "Carol@Example.com", ALICE, "--days", "7", "--note", "asked by phone").stdout == (
        "1 new, 1 changed, 0 unchanged, 0 failed\n"
    )
    entries = listed()
    assert (entries[CAROL]["reason"], entries[CAROL]["note"], entries[CAROL]["source"]) == (
        "manual", "asked by phone", "cli",
    )  # fmt: skip
    assert entries[ALICE]["reason"] == "hard_bounce"  # that holds longer
    suppressed.advance(7 * 86400 + 5)
    assert addresses() == {ALICE, BOB}
    assert addresses("--all") == {ALICE, BOB, CAROL}
    assert "carol" not in mailtrail("list").stdout


def test_remove_lets_an_address_get_mail_until_something_new_happens(suppressed: LocalCloud) -> None:
    assert mailtrail("remove", ALICE).stdout == "0 new, 1 changed, 0 unchanged, 0 failed\n"
    write_report()
    assert holding() == {BOB: "complaint"}
    assert "(removed)" in mailtrail("list", "--all").stdout
    assert "had no cause" in mailtrail("remove", ALICE, CAROL, code=1).stderr
    mailtrail("add", ALICE)
    assert holding()[ALICE] == "manual"


def test_add_after_remove_counts_also_from_a_clock_behind(suppressed: LocalCloud) -> None:
    """Two operators, two machines."""
    mailtrail("remove", ALICE)
    suppressed.advance(-60)
    mailtrail("add", ALICE)
    assert holding()[ALICE] == "manual"
    mailtrail("remove", ALICE)
    assert ALICE not in holding()


def test_show_tells_everything_of_one_address(suppressed: LocalCloud) -> None:
    mailtrail("remove", ALICE)
    shown = mailtrail("show", "ALICE@example.com").stdout
    assert "alice@example.com: gets mail" in shown
    assert "removed 2026-11-20T08:10:0" in shown
    entry = json.loads(mailtrail("show", ALICE, "--json").stdout)
    assert (entry["active"], len(entry["causes"]), len(entry["removals"])) == (False, 1, 1)
    assert "no entry" in mailtrail("show", CAROL, code=1).stderr


def test_undo_by_time_takes_a_false_mass_suppression_back_and_nothing_else(suppressed: LocalCloud) -> None:
    """postal#1282, #1153. Alice also bounced within the wrong hour, and stays suppressed for the bounce before."""
    at = EVENT["timestamp"] + 400
    wrong = [{**BOUNCE, "email": f"user{number}@example.com", "timestamp": at + number} for number in range(30)]
    call_back([*wrong, {**BOUNCE, "timestamp": at}])
    write_report()
    assert len(holding()) == 32
    dry = mailtrail("undo", "--since", "2026-11-20T08:06:00Z", "--until", "2026-11-20T08:09:00Z", "--dry-run").stdout
    assert dry.splitlines() == [
        "hard_bounce: 31 causes",
        "31 addresses, of which 1 stay suppressed for another cause",
        "would be: 0 new, 31 changed, 0 unchanged, 0 failed",
    ]
    assert len(holding()) == 32
    mailtrail("undo", "--since", "2026-11-20T08:06:00Z", "--until", "2026-11-20T08:09:00Z")
    assert holding() == {ALICE: "hard_bounce", BOB: "complaint"}
    call_back([{**wrong[0], "timestamp": at + 50}, EVENT])  # of that hour, told only now
    write_report()
    assert holding() == {ALICE: "hard_bounce", BOB: "complaint"}
    mailtrail("restore", "--removed-since", "1m")
    assert len(holding()) == 32


def test_undo_by_reason_and_restore_by_address(suppressed: LocalCloud) -> None:
    mailtrail("undo", "--reason", "complaint")
    assert holding() == {ALICE: "hard_bounce"}
    mailtrail("undo", "--source", "ses")
    assert holding() == {}
    assert mailtrail("undo", "--source", "ses").stdout.endswith("0 new, 0 changed, 0 unchanged, 0 failed\n")
    mailtrail("restore", ALICE, CAROL)
    assert holding() == {ALICE: "hard_bounce"}
    assert mailtrail("restore", "--removed-until", "2026-11-19", "--dry-run").stdout.startswith("would be: 0 new, 0 ch")


def test_undo_of_what_is_yet_to_come_is_not_possible(suppressed: LocalCloud) -> None:
    """A bound in the future must not make an address deaf to bounces that nobody has seen."""
    mailtrail("undo", "--reason", "hard_bounce", "--until", "2030-01-01")
    assert listed()[ALICE]["removals"][0]["until"] < "2026-11-21"


def test_undo_of_unsubscribes_that_a_scanner_may_have_made(cloud: LocalCloud) -> None:
    """They suppress, as the law wants, and are marked: hackwestern#846, 489 of 497 were scanners."""
    soon = {**EVENT, "event": "unsubscribe", "sentTimestamp": EVENT["timestamp"] - 3}
    call_back({**soon, "sentTimestamp": EVENT["timestamp"] - 86400, "email": BOB})
    call_back(soon)
    write_report()
    assert holding() == {ALICE: "unsubscribe", BOB: "unsubscribe"}
    assert addresses("--machine") == {ALICE}
    mailtrail("undo", "--machine")
    assert holding() == {BOB: "unsubscribe"}


def test_export_and_import_make_the_same_list(suppressed: LocalCloud, tmp_path: Path) -> None:
    mailtrail("add", CAROL, "--note", "=1+1")
    mailtrail("remove", BOB)
    before = bucket("suppression/")
    for kind in ("csv", "jsonl"):
        file = tmp_path / f"list.{kind}"
        assert "3 addresses" in mailtrail("export", "--all", "--format", kind, "-o", str(file)).stderr
        for key in before:
            store().delete(key)
        assert mailtrail("import", str(file)).stdout == "3 new, 0 changed, 0 unchanged, 0 failed\n"
        assert bucket("suppression/") == before
        assert mailtrail("import", str(file)).stdout == "0 new, 0 changed, 3 unchanged, 0 failed\n"
    active = mailtrail("export").stdout
    assert active.startswith("\ufeffaddress,active,reason,")
    assert (ALICE in active, BOB in active, CAROL in active) == (True, False, True)
    assert "'=1+1" in active


def test_import_of_an_old_export_does_not_bring_back_what_was_removed_since(suppressed: LocalCloud) -> None:
    export = mailtrail("export").stdout_bytes
    mailtrail("remove", ALICE)
    mailtrail("import", "-", stdin=export)
    assert holding() == {BOB: "complaint"}


def test_import_of_plain_lines_can_be_undone_by_its_name(suppressed: LocalCloud, tmp_path: Path) -> None:
    file = tmp_path / "old-provider.txt"
    file.write_text(f"{CAROL}\n{ALICE}\n")
    assert mailtrail("import", str(file), "--dry-run").stdout == "would be: 1 new, 1 changed, 0 unchanged, 0 failed\n"
    assert CAROL not in listed()
    mailtrail("import", str(file))
    assert holding() == {ALICE: "hard_bounce", BOB: "complaint", CAROL: "import"}
    mailtrail("undo", "--source", "old-provider.txt")
    assert holding() == {ALICE: "hard_bounce", BOB: "complaint"}
    mailtrail("import", "-", stdin=f"{CAROL}\n")
    assert listed()[CAROL]["source"] == "stdin"


def test_a_file_with_bad_lines_is_not_imported_at_all(suppressed: LocalCloud) -> None:
    before = bucket("suppression/")
    done = mailtrail("import", "-", stdin=f"{CAROL}\nnobody\n{CAROL},because\n", code=1)
    assert done.stdout == ""
    assert "line 2: not an address" in done.stderr
    assert "line 3: the reason must be one of complaint, " in done.stderr
    assert "2 bad lines; nothing was written" in done.stderr
    assert bucket("suppression/") == before


WRONG = (
    ["undo"], ["undo", "--dry-run"], ["restore"], ["add", "nobody"], ["add"], ["remove", "a b@c"], ["show"],
    ["list", "--reason", "because"], ["list", "--since", "someday"], ["add", ALICE, "--days", "0"],
    ["import", "/nonexistent"], ["export", "--format", "xml"], ["forget"],
)  # fmt: skip


def test_wrong_usage_exits_2_and_changes_nothing(suppressed: LocalCloud) -> None:
    before = bucket()
    for arguments in WRONG:
        assert mailtrail(*arguments, code=2).stdout == "", arguments
    assert bucket() == before


def test_while_somebody_else_writes_the_list_a_command_waits_and_says_so(suppressed: LocalCloud) -> None:
    assert take(store(), suppression_list.SCOPE, now=NOW, ttl_s=600) is not None
    done = mailtrail("add", CAROL, "--wait", "0", code=1)
    assert "is writing the suppression list" in done.stderr
    assert CAROL not in listed()
    suppressed.advance(601)  # its holder has died
    mailtrail("add", CAROL)
    assert CAROL in holding()


def test_a_command_goes_on_as_soon_as_the_other_is_done(
    suppressed: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take(store(), suppression_list.SCOPE, now=NOW, ttl_s=600)
    assert lease is not None
    # The command's own time: other threads of this process sleep, too.
    own = SimpleNamespace(sleep=lambda _seconds: give_back(store(), lease), monotonic=time.monotonic)
    monkeypatch.setattr(suppression_changes, "time", own)
    done = mailtrail("add", CAROL)
    assert done.stdout == "1 new, 0 changed, 0 unchanged, 0 failed\n"
    assert "waiting for up to 60 s" in done.stderr


def test_entries_that_cannot_be_written_are_counted_and_exit_1(suppressed: LocalCloud) -> None:
    """The others are written; somebody's own file among the entries is left as it is, and named."""
    theirs = suppression_key(CAROL)
    store().put(theirs, b"not ours")
    done = mailtrail("import", "-", stdin=f"{CAROL}\ndave@example.com\n", code=1)
    assert done.stdout == "1 new, 0 changed, 0 unchanged, 1 failed\n"
    assert "not written: " in done.stderr
    assert bucket(theirs) == {theirs: b"not ours"}
    assert f"not an entry of the list: {theirs}" in mailtrail("list").stderr
    assert "the suppression list: " in mailtrail("show", CAROL, code=1).stderr


def test_a_bucket_that_is_down_is_a_message_and_exit_1(suppressed: LocalCloud) -> None:
    suppressed.add_faults({"service": "cos", "kind": "error", "status": 503})
    assert "the suppression list: " in mailtrail("list", code=1).stderr
    assert "the suppression list: " in mailtrail("add", CAROL, code=1).stderr


def test_an_address_cannot_write_to_the_terminal(cloud: LocalCloud) -> None:
    """Recipients are what strangers say: no escape sequence, no markup of the table."""
    call_back({**BOUNCE, "email": "[red]\x1b[2jx@example.com"})
    write_report()
    shown = mailtrail("list").stdout + mailtrail("show", "[red]\x1b[2jx@example.com").stdout
    assert "\x1b" not in shown
    assert shown.count("[red]\ufffd[2jx@example.com") == 2


def section(document: str, title: str) -> str:
    """Read one section of a document."""
    return (ROOT / document).read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_documents_name_every_verb_and_the_very_rules() -> None:
    """README's table and commands are what the code does."""
    text = "".join((ROOT / name).read_text() for name in ("README.md", "docs/operating.md"))
    named = set(re.findall(r"mailtrail suppression\s+([a-z]+)", text))
    assert named == set(suppression_command.commands)
    told = section("README.md", "Who gets no mail any more")
    table = re.findall(r"\| `([a-z_]+)` \| (for good|\d+ days)", told)
    rules = suppression_rules
    made = [
        *rules._HARD_BOUNCES.values(), *rules._REJECTIONS.values(), *rules._SAID_BY_THE_RECIPIENT.values(),
        rules._OTHER_HARD_BOUNCE, rules._SOFT_NO_SUCH_ADDRESS,
    ]  # fmt: skip
    assert set(table) == {(rule.reason, f"{rule.days} days" if rule.days else "for good") for rule in made}
    assert REPEAT_S == 30 * 86400


def test_the_commands_of_readme_run(suppressed: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, each as it stands there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old-provider.csv").write_text("b@example.com,bounce\n")
    mailtrail("add", "a@example.com")
    commands = section("README.md", "Who gets no mail any more").split("```\n")[1].splitlines()
    for line in commands:
        mailtrail(*shlex.split(line)[2:])
    assert len(commands) == 8
    assert {"a@example.com", "b@example.com"} <= set(holding())  # removed, and restored
