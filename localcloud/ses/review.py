"""The reviewer of templates: what is turned down, and when the verdict falls. Pure.

Rules, from the vendor's pages on templates (https://tencentcloud.com/document/product/1084/48863 and the FAQ): at least
160 characters unless transactional, five characters of text for each variable, at most 50 images, no link whose domain
is a variable; within a working day. A template without any variable cannot be transactional: there the 160 apply.
"""

from __future__ import annotations

import re

from localcloud.ses.days import DAY_S, day_number

MIN_CHARS = 160
TEXT_PER_VARIABLE = 5
IMAGES_LIMIT = 50

_HIDDEN = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_VARIABLE = re.compile(r"\{\{[^{}]*\}\}")
_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_VARIABLE_DOMAIN = re.compile(r"""(?:href|src)\s*=\s*["']?\s*(?:https?://)?\{\{""", re.IGNORECASE)


def reason_against(html: str, text: str) -> str:
    """Say why a template is rejected; empty when it is approved."""
    content = _TAG.sub(" ", _HIDDEN.sub(" ", html)) if html else text
    variables = len(_VARIABLE.findall(content))
    chars = len("".join(_VARIABLE.sub("", content).split()))
    if not variables and chars < MIN_CHARS:
        return f"A template that is not transactional needs at least {MIN_CHARS} characters; this has {chars}."
    if chars < TEXT_PER_VARIABLE * variables:
        return f"Variables to text must be at most 1 to {TEXT_PER_VARIABLE}; this is {variables} to {chars}."
    if len(_IMAGE.findall(html)) > IMAGES_LIMIT:
        return f"At most {IMAGES_LIMIT} images are allowed."
    if _VARIABLE_DOMAIN.search(html):
        return "The domain of a link must be part of the template."
    return ""


def next_working_day(at: float) -> float:
    """Return the same hour of the next day that is no Saturday or Sunday in UTC+8 (epoch seconds; no holidays)."""
    # Day 0, 1970-01-01, was a Thursday.
    days = next(days for days in (1, 2, 3) if (day_number(at) + days + 3) % 7 < 5)
    return at + days * DAY_S
