"""Offset and Limit, as every listing has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.params import Params

LIMIT_ROWS = 100


class Page(NamedTuple):
    """Which rows: ``limit`` of them after the first ``offset``."""

    offset: int
    limit: int


def parse_page(params: Params, *, most: int = LIMIT_ROWS, default: int | None = None) -> Page:
    """Read Offset (from 0) and Limit (1 to ``most``): both required, or neither when there is a ``default`` limit."""
    is_optional = default is not None
    offset = params.integer_or("Offset", 0) if is_optional else params.integer("Offset")
    limit = params.integer_or("Limit", default or 0) if is_optional else params.integer("Limit")
    if offset < 0:
        raise ApiError("InvalidParameterValue", "`Offset` must be 0 or more.")
    if not 1 <= limit <= most:
        raise ApiError("FailedOperation.InvalidLimit")
    return Page(offset, limit)
