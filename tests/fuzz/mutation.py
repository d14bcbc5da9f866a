"""Inputs that are nearly right: mutations of JSON where it is JSON, of bytes anywhere. The same seed, the same inputs."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

ODD = (
    None, True, False, 0, 1, -1, 1.5, -0.0, 1e308, 2**31, 2**53, 2**63, 2**64, 10**12, 10**18, 10**400, "", " ", "0", "-1", "nan",
    "1e999", "NaN", "１７９５１６１６００", "1_795_161_600", "\x00", "\n", "\u2028", "\ud83d", "\udc00", "\ufeff", "é", "用户", "\U0001f600",
    "a" * 300, "=cmd|' /C calc'!A0", "<script>", "../../etc", "%2e%2e/", "{}", "[]", "[NaN]", "[1e999]", '{"a":NaN}', "[[[[", "null",
    [], {}, [[]], [{}], {"": ""}, {"a": {"b": [None]}}, [None, True, 1.5, "x"], ["a", "b"], '["a","b"]', 1795161600, "1795161600",
    1795161600712, 253402300800, 32503679999.999999, 1e-300, 1795161599.9999998, "delivered", "bounce", "request", "open", "click",
    "unsubscribe", "spamreport", "invalid", "hard_bounce", "soft_bounce", "550 5.1.1 user unknown", "421 try again later",
    "eyJyIjoiYSJ9.AAAA.AAAAAAAAAAAAAAAAAAAAAAAA",
)  # fmt: skip
"""Values that somebody did not think of."""
NAMES = (
    "event", "email", "bulkId", "bulkid", "timestamp", "reason", "bounceType", "templateId", "taskId", "link", "recipient",
    "emailId", "recipientArray", "emailIds", "userHeaders", "X-Tencentcloudses-Cb-Custom", "message", "url", "useragent",
    "sentTimestamp", "signature", "token", "mail_list_task_id", "", "raw", "v", "event_id", "\ud800",
    "httpMethod", "path", "headers", "body", "payload", "isBase64Encoded", "queryString", "requestContext",
)  # fmt: skip
TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"1e999", b"NaN", b"-Infinity",
    b"null", b"true", b"9" * 5000, b"[" * 1200, b'{"a":' * 1200, b"\\ud83d", b"\\u0000", b"\xe2\x80\xa8", b"&", b"=", b"%", b"%E9",
    b"event=", b'"event":"', b'"timestamp":1795161600', b"-0", b"1.10", b"\xed\xa0\x80",
)  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` changed in one to four ways."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        value = _parsed(data)
        if value is not None and rng.random() < 0.75:
            data = _written(rng.choice(_SHAPES)(value, rng), rng)
        else:
            data = rng.choice(_BYTES)(data, rng)
    return data


def mutate_event(data: bytes, rng: random.Random) -> bytes:
    """Return a trigger's event changed: its own members, or the body within."""
    event = _parsed(data)
    body = event.get("body", event.get("payload")) if isinstance(event, dict) else None
    if body is None or rng.random() < 0.4:
        return mutate(data, rng)
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else json.dumps(body).encode()
    raw = mutate(raw, rng)
    name = "payload" if "payload" in event else "body"
    if rng.random() < 0.3:
        event |= {name: base64.b64encode(raw).decode(), "isBase64Encoded": rng.choice((True, "true"))}
    else:
        event[name] = (_parsed(raw) if name == "payload" else None) or raw.decode("utf-8", "replace")
    return json.dumps(event).encode()


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _written(value: Any, rng: random.Random) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=rng.choice(((",", ":"), (", ", ": "))))
    except (ValueError, RecursionError):
        return b"[]"
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or an index of it, some thousands at most."""
    found: list[tuple[Any, Any]] = []
    level = [value]
    while level and len(found) < 2000:
        whole = level.pop()
        keys = list(whole) if isinstance(whole, dict) else range(len(whole)) if isinstance(whole, list) else ()
        found += [(whole, key) for key in keys]
        level += [whole[key] for key in keys]
    return found


def _place(value: Any, rng: random.Random) -> tuple[Any, Any]:
    return rng.choice(_places(value) or [([None], 0)])


def _replace(value: Any, rng: random.Random) -> Any:
    whole, key = _place(value, rng)
    whole[key] = rng.choice(ODD)
    return value


def _remove(value: Any, rng: random.Random) -> Any:
    whole, key = _place(value, rng)
    del whole[key]
    return value


def _add(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        value[rng.choice(NAMES)] = rng.choice(ODD)
    elif isinstance(value, list):
        value.insert(rng.randint(0, len(value)), rng.choice((*ODD, *value)))
    return value


def _other_case(value: Any, rng: random.Random) -> Any:
    whole, key = _place(value, rng)
    if isinstance(key, str):
        whole[rng.choice((key.upper(), key.lower(), key.title()))] = rng.choice((whole[key], rng.choice(ODD)))
    return value


def _nest(value: Any, rng: random.Random) -> Any:
    whole, key = _place(value, rng)
    for _ in range(rng.choice((1, 2, 60, 64, 66, 300, 700))):
        whole[key] = [whole[key]] if rng.random() < 0.5 else {"a": whole[key]}
    return value


def _array(value: Any, rng: random.Random) -> Any:
    return [value] * rng.choice((1, 2, 3, 9, 25))


def _hours(value: Any, rng: random.Random) -> Any:
    """Several events at several times."""
    events = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)] or [{}]
    step_s = rng.choice((0, 1, 1800, 3600, 86400))
    return [{**rng.choice(events), "timestamp": 1795161600 + n * step_s} for n in range(rng.choice((2, 3, 9, 12)))]


def _shuffle(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        return dict(rng.sample(list(value.items()), len(value)))
    return rng.sample(value, len(value)) if isinstance(value, list) else value


_SHAPES: Sequence[Callable[[Any, random.Random], Any]] = (
    _replace, _replace, _replace, _remove, _add, _add, _other_case, _nest, _array, _hours, _shuffle,
)  # fmt: skip


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return b"{"
    place = rng.randrange(len(data))
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(TOKENS) + data[place:]


def _double(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    end = rng.randint(start, min(len(data), start + 400))
    return data[:end] + data[start:end] + data[end:]


def _drop(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.randint(1, 20) :]


def _lines(data: bytes, rng: random.Random) -> bytes:
    value = _parsed(data)
    items = value if isinstance(value, list) else [value] * rng.randint(1, 3)
    separator = rng.choice((b"\n", b"\r\n", b"\n\n", b"\n{\n"))
    return separator.join(_written(item, rng) for item in items)


def _form(data: bytes, rng: random.Random) -> bytes:
    value = _parsed(data)
    one = value[0] if isinstance(value, list) and value else value
    if not isinstance(one, dict):
        return data
    told = {k: v if isinstance(v, str) else _written(v, rng).decode("utf-8", "replace") for k, v in one.items()}
    return urlencode(told, errors="replace", encoding=rng.choice(("utf-8", "gbk", "latin-1"))).encode()


def _encode(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    kind = rng.choice(("gzip", "zlib", "utf-16", "utf-16-le", "utf-32", "latin-1", "gbk", "utf-8-sig"))
    if kind in ("gzip", "zlib"):
        return gzip.compress(data, mtime=0) if kind == "gzip" else zlib.compress(data)
    return text.encode(kind, "replace")


_BYTES: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _cut, _flip, _flip, _insert, _insert, _double, _drop, _lines, _form, _encode,
)  # fmt: skip
