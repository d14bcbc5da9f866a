"""The pytest fixture: ``pytest_plugins = ["localcloud.pytest_plugin"]``, then ask for ``tencent``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.mock import mock_tencent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.world import LocalCloud


@pytest.fixture
def tencent() -> Iterator[LocalCloud]:
    """Tencent Cloud inside this process for one test; its LocalCloud."""
    with mock_tencent() as cloud:
        yield cloud
