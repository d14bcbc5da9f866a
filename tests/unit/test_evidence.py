"""What is concluded of a lost send is true, whatever was seen and whatever was not; where it could be wrong, nothing is."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from shared.trail.evidence import (
    ASK_AFTER_S,
    NEAR_S,
    NOT_ACCEPTED_AFTER_S,
    WINDOW_S,
    Attempt,
    Question,
    Row,
    Sightings,
    Verdict,
    judge,
    own_message_id,
)
from shared.trail.ledger import REFUSED, SENT

AT, SENDER, ALICE = 1_795_162_200.0, "noreply@mail.example.com", "alice@example.com"


def attempt(number: int = 0, at: float = AT, message_id: str = "") -> Attempt:
    reference = f"{number:032x}"
    return Attempt(
        f"{number:064x}", 0, at, reference, message_id or own_message_id(reference, SENDER), SENDER, (ALICE,)
    )


def question(ours: Attempt, seen: Sightings, rows: list[Row] | None, **more: object) -> Question:
    known = more.get("known", {})
    has_tasks = bool(more.get("has_tasks"))
    return Question(ours, seen, rows, bool(more.get("has_rivals")), known.get, lambda: has_tasks)  # type: ignore[attr-defined]


class Mail(NamedTuple):
    """A mail that SES has of somebody else's, and how we could tell."""

    offset_s: float
    has_line: bool
    has_event: bool


OTHERS = st.lists(
    st.builds(Mail, st.floats(-400, 1400), st.booleans(), st.booleans()).filter(lambda mail: mail[1] or mail[2]),
    max_size=4,
)


@given(
    is_accepted=st.booleans(),
    offset_s=st.floats(-NEAR_S[0], NEAR_S[1]),
    is_told=st.booleans(),
    others=OTHERS,
    age_s=st.floats(ASK_AFTER_S, 90_000),
)
def test_where_others_can_be_told_apart_the_conclusion_is_the_truth(
    *, is_accepted: bool, offset_s: float, is_told: bool, others: list[Mail], age_s: float
) -> None:
    """And there is one, as soon as half an hour has passed."""
    ours = attempt()
    rows = [Row("ours", ALICE.upper(), f"Acme <{SENDER}>", AT + offset_s)] if is_accepted else []
    rows += [Row(f"other-{n}", ALICE, SENDER, AT + mail.offset_s) for n, mail in enumerate(others, 1)]
    seen = Sightings([ours], {row.message_id for row in rows})
    if is_accepted and is_told:
        seen.add("ours", ours.reference, "")
    for number, mail in enumerate(others, 1):
        if mail.has_event:
            seen.add(f"other-{number}", "", attempt(number).smtp_message_id)
    known = {f"other-{n}": "another key" for n, mail in enumerate(others, 1) if mail.has_line}
    verdict = judge(question(ours, seen, rows, known=known), now=AT + age_s)
    if is_accepted:
        assert verdict is not None
        assert (verdict.state, verdict.message_id) == (SENT, "ours")
    else:
        assert verdict is None if age_s < NOT_ACCEPTED_AFTER_S else verdict == Verdict(REFUSED, "status")


@given(st.lists(st.floats(-WINDOW_S[0], WINDOW_S[1]), min_size=1, max_size=4), st.floats(ASK_AFTER_S, 90_000))
def test_a_row_nobody_can_place_forbids_to_call_a_mail_not_accepted(offsets_s: list[float], age_s: float) -> None:
    rows = [Row(f"m{n}", ALICE, SENDER, AT + offset_s) for n, offset_s in enumerate(offsets_s)]
    verdict = judge(question(attempt(), Sightings([], ()), rows), now=AT + age_s)
    is_alone_and_near = len(rows) == 1 and -NEAR_S[0] <= offsets_s[0] <= NEAR_S[1]
    assert verdict == (Verdict(SENT, "status", "m0") if is_alone_and_near else None)


def test_a_row_without_a_time_or_an_id_forbids_it_too_and_proves_nothing() -> None:
    for row in (Row("m", ALICE, SENDER, None), Row("", ALICE, SENDER, AT)):
        assert judge(question(attempt(), Sightings([], ()), [row]), now=AT + 90_000) is None


def test_a_rival_makes_a_row_worthless_and_an_event_none_the_less_sure() -> None:
    rows = [Row("m", ALICE, SENDER, AT)]
    ours = attempt()
    seen = Sightings([ours], {"m"})
    assert judge(question(ours, seen, rows, has_rivals=True), now=AT + 90_000) is None
    seen.add("m", "", f" {ours.smtp_message_id.strip('<>')} ")
    assert judge(question(ours, seen, rows, has_rivals=True), now=AT + 90_000) == Verdict(SENT, "event", "m")


def test_a_message_id_of_the_callers_own_proves_only_where_one_mail_bears_it() -> None:
    """Callers may use one in several mails."""
    ours = attempt(message_id="<thread@example.com>")
    seen = Sightings([ours], ())
    seen.add("first", "", "<thread@example.com>")
    assert judge(question(ours, seen, None), now=AT + 61) == Verdict(SENT, "event", "first")
    assert judge(question(ours, seen, None, known={"first": "another key"}), now=AT + 61) is None
    seen.add("second", "", "<thread@example.com>")
    assert judge(question(ours, seen, None), now=AT + 61) is None


def test_a_claim_of_an_older_version_that_names_nobody_stays_uncertain() -> None:
    nobody = Attempt("0" * 64, 0, AT, "", "", "", ())
    assert judge(question(nobody, Sightings([nobody], ()), []), now=AT + 90_000) is None


def test_mails_of_one_person_far_apart_are_no_rivals() -> None:
    assert attempt(1).is_rival_of(attempt(2, AT + 60))
    assert not attempt(1).is_rival_of(attempt(2, AT + sum(NEAR_S) + 1))
    assert not attempt(1).is_rival_of(attempt(1))
