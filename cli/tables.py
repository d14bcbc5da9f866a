"""Tables of the documentation that are made from the code, so that they cannot drift. cog writes them into README."""

from __future__ import annotations

from collections import defaultdict

from shared.upstream.errors import NO_ANSWER, NOT_JSON, NOT_SENT, RULES, UNKNOWN, UNLISTED, Rule


def upstream_errors() -> str:
    """Return the table of our codes for what SES says, with the vendor's codes behind each."""
    groups: defaultdict[tuple[str, int, str], list[str]] = defaultdict(list)
    beyond = {"no connection": NOT_SENT, "no answer": NO_ANSWER, "not an API answer": NOT_JSON, "any other": UNLISTED}
    for name, rule in {**RULES, **{f"*{what}*": rule for what, rule in beyond.items()}}.items():
        groups[rule.code, rule.status, _retry(rule)].append(name if name.startswith("*") else f"`{name}`")
    rows = [
        f"| `{code}` | {status} | {retry} | {' '.join(sorted(names))} |"
        for (code, status, retry), names in sorted(groups.items())
    ]
    return "\n".join(["| code | status | retry safe | what SES said |", "|---|---|---|---|", *rows])


def _retry(rule: Rule) -> str:
    if rule.outcome == UNKNOWN:
        return "no, **outcome unknown**"
    return f"after {rule.retry_after_s} s" if rule.retry_safe else "no"
