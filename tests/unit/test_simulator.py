"""An address decides what happens to the mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.simulator import PLANS, outcome_of, plan_for

DOMAIN = "simulator.mailtrail.test"
NAMES = (
    "delivered hard-bounce soft-bounce deferred dropped open click complaint unsubscribe blacklist unknown-user".split()
)


def test_every_documented_address_has_a_plan():
    assert set(PLANS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_tag_and_letter_case_change_nothing(name):
    """`name+anything@` is `name@`, so that tests can tell their recipients apart."""
    plain = plan_for(f"{name}@{DOMAIN}")
    assert plan_for(f"{name}+order-42@{DOMAIN}") is plain
    assert plan_for(f"{name.upper()}@{DOMAIN.upper()}") is plain


@pytest.mark.parametrize("address", ["hard-bounce@example.com", f"somebody@{DOMAIN}", "", "@", f"+x@{DOMAIN}"])
def test_any_other_address_is_delivered(address):
    assert outcome_of(address) == "delivered"


@given(st.text())
def test_plans_are_in_order_of_time(address):
    steps = plan_for(address).steps
    assert steps
    assert [step.after_s for step in steps] == sorted(step.after_s for step in steps)


def test_engagement_comes_after_delivery():
    for name in ("open", "click", "complaint", "unsubscribe"):
        assert PLANS[name].steps[0].event == "delivered"
    assert PLANS["click"].steps[-1].link


def test_only_the_blacklist_changes_the_send_status():
    assert {name: plan.send_status for name, plan in PLANS.items() if plan.send_status} == {"blacklist": 1007}
