"""Which secrets are too weak to be one. Whoever guesses the one in the webhook's path may write into the trail."""

from __future__ import annotations

import functools
import re

SHORTEST_SECRET = 12
"""Characters below which a secret of ours is refused as weak."""
FEWEST_CHARACTERS = 6
"""Different characters below which a secret is refused as weak: ``aaaaaaaaaaaa``, ``abcabcabcabc``."""
_PLACEHOLDERS = re.compile(
    "((change|replace)(me|this|it)|placeholder|example|sample|default|insecure|(your?|my)(secret|key|token|password)|"
    "secrets?(key)?|pass(word|wd|phrase)|p[a4]ssw0rd|letmein|welcome|test(ing)?|todo|"
    "qwerty(uiop)?|asdf(ghjkl)?|0?123456(7(8(90?)?)?)?|abcdef(ghijklmnopqrstuvwxyz)?)+"
)
"""What stands in samples and in the first lines of lists of leaked passwords, letters and digits only."""


@functools.lru_cache(maxsize=64)  # read at each invocation, the same ones for as long as an instance lives
def weakness(secret: str) -> str:
    """Say which rule a secret breaks, empty when it breaks none. The secret itself is never told."""
    if len(secret) < SHORTEST_SECRET:
        return f"of under {SHORTEST_SECRET} characters"
    if len(set(secret)) < FEWEST_CHARACTERS:
        return f"of under {FEWEST_CHARACTERS} different characters"
    plain = "".join(filter(str.isalnum, secret.lower()))
    start = _PLACEHOLDERS.match(plain)
    # A word in front of enough that is random does no harm.
    if start and len(plain) - start.end() < SHORTEST_SECRET:
        return "that is a placeholder (changeme, secret, password and their like)"
    return ""
