"""The last test of this folder: the committed table says what has just been seen."""

from __future__ import annotations

import os

import pytest

from tests.clients import recording


def test_the_table_names_every_operation_that_ran():
    """docs/localcloud-clients.md has a passed row for every operation that passed in this session, and no other claim."""
    if os.environ.get(recording.WRITE_VARIABLE) == "1":
        pytest.skip("the table is being written")
    committed = {(row.client, row.operation): row.passed for row in recording.committed_rows()}
    for row in recording.rows():
        assert committed.get((row.client, row.operation)) == row.passed, f"not as in the table: {row}"
