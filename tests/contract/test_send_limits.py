"""Three times what SES permits, by several instances: it never has to refuse an address or a quota, and it is used.

The course itself: benchmarks/limits.py, which also runs it for an hour.
"""

from __future__ import annotations

import pytest

from benchmarks.limits import FREQUENCY, HOUR_S, QUOTA_USED_UP, RATE, TIMES, Course, run_course

SECONDS = 30
COURSES = [
    Course("rate", SECONDS, TIMES * RATE * SECONDS, TIMES * RATE * SECONDS, RATE * SECONDS, level=20),
    Course("address", HOUR_S, TIMES * 80, 8, 80, level=20),
    Course("quota", HOUR_S, TIMES * 500, TIMES * 500, 500, level=1),
]


@pytest.mark.timeout(600)  # seconds on two idle cores; the limit is for a hang
@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_ses_never_has_to_refuse_and_what_it_permits_is_used(course: Course) -> None:
    """Of a rate that instances have to find out first, four fifths in the first half minute; of the others nine tenths."""
    found = run_course(course)
    assert found["ses"].get(FREQUENCY, 0) == 0
    assert found["ses"].get(QUOTA_USED_UP, 0) == 0
    assert found["unused"] <= (0.2 if course.name == "rate" else 0.1)
    assert found["ses"]["accepted"] == found["told"]["202"]
    assert sum(found["told"].values()) + found["turned_away"] == course.mails
