"""What the trigger events say: the vendors' samples verbatim, documented fields only, signatures that hold."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from localcloud import defaults
from shared.upstream.signing import CallbackToken, parse_callback_token, verify_sendcloud
from tests.event_files import FUNCTIONS, SAMPLES, iter_events, read_http, shape_and_case

ALL = {path: event for function in FUNCTIONS for path, event in iter_events(function)}
HTTP = {path: event for path, event in ALL.items() if path.startswith(("send/", "webhook/"))}


def test_the_readme_of_the_samples_lists_every_file_and_no_other() -> None:
    """Each sample has its page and its date beside it; ``{a,b}`` stands for both."""
    listed = set()
    for name in re.findall(
        r"^\| `([^`]+\.json)` \|", (SAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        before, brace, rest = name.partition("{")
        choices, _, after = rest.partition("}")
        listed |= {f"{before}{choice}{after}" for choice in choices.split(",")} if brace else {name}
    assert listed == {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.json")}


@pytest.mark.parametrize("date", ["2024", "2025", "2021"])
def test_the_vendors_samples_are_verbatim(date: str) -> None:
    """Byte for byte where the platform hands over text, parsed where CLB parses it."""
    (sample,) = (SAMPLES / "callback").glob(f"ses-{date}*.json")
    text = sample.read_text(encoding="utf-8").removesuffix("\n")
    paths = [path for path in HTTP if path.endswith(f"-ses-sample-{date}.json")]
    assert paths
    for path in paths:
        body = read_http(path).body
        assert body == (text.encode() if isinstance(body, bytes) else json.loads(text))


FIELDS: dict[str, str] = json.loads((SAMPLES / "callback/ses-fields.json").read_text(encoding="utf-8"))
FIELDS["bulkId"] = FIELDS["bulkid"]  # the samples spell it so, the table does not
FIELDS["X-Tencentcloudses-Cb-Custom"] = FIELDS["X-Tencentcloudses-Cb-*"]
TYPES = {"string": str, "int": int, "long": int, "list": list}


def ses_callbacks() -> dict[str, list[Any]]:
    """Every SES callback that is understood as JSON or JSON lines: path to its members."""
    found = {}
    for path in HTTP:
        request = read_http(path)
        if not request.path.startswith("/webhook/ses") or request.method != "POST":
            continue
        meaning = request.meaning
        if request.headers.get("content-type") == "application/x-ndjson":
            meaning = [json.loads(line) for line in request.body.decode().splitlines()]
        if isinstance(meaning, dict | list):
            found[path] = meaning if isinstance(meaning, list) else [meaning]
    return found


CALLBACKS = ses_callbacks()
WRONG_ON_PURPOSE = {"ses-wrong-types", "ses-array-one-bad"}


@pytest.mark.parametrize("path", [p for p in CALLBACKS if shape_and_case(p)[1] not in WRONG_ON_PURPOSE])
def test_an_ses_callback_has_only_documented_fields_of_documented_types(path: str) -> None:
    """https://www.tencentcloud.com/document/product/1084/39492 (2025-10-30); the sample spells ``bulkId``."""
    for member in CALLBACKS[path]:
        for name, value in member.items():
            known = (
                "X-Tencentcloudses-Cb-*" if name.startswith("X-Tencentcloudses-Cb-") else name.replace("Id", "id", 1)
            )
            kind = FIELDS.get(name) or FIELDS.get(known)
            assert kind, f"{name} is not documented"
            assert type(value) is TYPES[kind], name


def test_there_is_a_callback_for_every_documented_event() -> None:
    """All eight of today, the one that was dropped, one of tomorrow, and both vocabularies of bounces."""
    members = [m for path, all_members in CALLBACKS.items() if "one-bad" not in path for m in all_members]
    words = {member["event"] for member in members}
    assert words == {
        "deferred", "delivered", "dropped", "open", "click", "bounce", "spamreport", "unsubscribe", "processed",
        "rescheduled",
    }  # fmt: skip
    bounces = {member.get("bounceType") for member in members if member["event"] == "bounce"}
    assert bounces == {"hard_bounce", "soft_bounce", "hard", "soft"}
    ids = {member["event"]: member["eventid"] for member in members if "eventid" in member}
    assert ids == {
        "delivered": 1, "dropped": 2, "bounce": 3, "open": 4, "click": 5, "spamreport": 6, "unsubscribe": 7,
        "deferred": 8,
    }  # fmt: skip


def parse_token(case: str) -> tuple[CallbackToken, str]:
    """Verify the token of ``case`` with the local key; beside it, whom the event is about."""
    (member,) = CALLBACKS[f"webhook/function-url-{case}.json"]
    return parse_callback_token([defaults.TOKEN_KEY], member["X-Tencentcloudses-Cb-Custom"]), member["email"]


def test_the_callback_tokens_are_what_their_names_say() -> None:
    """One covers its recipient, one is forged, one is genuine but about somebody else."""
    token, recipient = parse_token("ses-token")
    assert token.covers(recipient)
    assert (token.reference, token.metadata) == ("order-42", {"order": "42"})
    token, recipient = parse_token("ses-token-other-recipient")
    assert not token.covers(recipient)
    with pytest.raises(ValueError, match="not a token of ours"):
        parse_token("ses-token-forged")


SENDCLOUD = [path for path in HTTP if "-sendcloud-" in path and read_http(path).method == "POST"]
NOT_SIGNED = {
    "sendcloud-form-wrong-signature", "sendcloud-form-unsigned", "sendcloud-form-plain-sha256",
    "sendcloud-json-wrong-signature",
}  # fmt: skip
NAMES_SINCE_2017: dict[str, dict[str, str]] = json.loads(
    (SAMPLES / "callback/sendcloud-fields.json").read_text(encoding="utf-8")
)
OTHER_NAMES = {
    "bounce": "soft_bounce",
    "delivered": "deliver",
    "invalid_email": "invalid",
    "spam-report": "report_spam",
}


@pytest.mark.parametrize("path", SENDCLOUD)
def test_a_sendcloud_event_is_signed_unless_its_name_says_otherwise(path: str) -> None:
    """HMAC-SHA256 under the local APP KEY over timestamp and token as they are received."""
    content = read_http(path).meaning
    timestamp, token = str(content["timestamp"]), content.get("token", "")
    valid = verify_sendcloud([defaults.SENDCLOUD_APP_KEY], timestamp, token, content.get("signature", ""))
    assert valid is (shape_and_case(path)[1] not in NOT_SIGNED)
    assert len(token) == (0 if "unsigned" in path else 50)


@pytest.mark.parametrize("path", SENDCLOUD)
def test_a_sendcloud_event_has_exactly_the_documented_fields(path: str) -> None:
    """The field tables of the vendor's guide; ``reason`` is of the older page that called a soft bounce ``bounce``."""
    content = read_http(path).meaning
    event = OTHER_NAMES.get(content["event"], content["event"])
    older = {"reason", "message"} if content["event"] == "bounce" else set()
    missing = {"token", "signature"} if "unsigned" in path else set()
    assert set(content) == (set(NAMES_SINCE_2017[event]) | older) - missing


def test_there_is_a_sendcloud_event_for_every_documented_name() -> None:
    """Nine as a form, nine under the newer names as JSON, one under the oldest."""
    words = {kind: {read_http(p).meaning["event"] for p in SENDCLOUD if f"-{kind}-" in p} for kind in ("form", "json")}
    assert words["form"] == set(NAMES_SINCE_2017) | {"bounce"}
    assert {OTHER_NAMES.get(word, word) for word in words["json"]} == set(NAMES_SINCE_2017)
    assert {"delivered", "invalid_email", "spam-report"} <= words["json"]


CONTRACT = {
    "from", "to", "cc", "bcc", "reply_to", "subject", "template", "html", "text", "attachments", "unsubscribe",
    "transactional", "headers", "header_from", "message_id", "metadata",
}  # fmt: skip


def test_every_field_of_the_send_contract_is_used_and_no_other() -> None:
    """A misspelt field in a sample would test nothing."""
    bodies = {path: read_http(path).meaning for path in HTTP if path.startswith("send/") and "-task" not in path}
    for path, body in bodies.items():
        if isinstance(body, dict):
            assert set(body) <= (CONTRACT | {"recipients"} if "-batch" in path else CONTRACT), path
    assert set(bodies["send/function-url-every-field.json"]) == CONTRACT


def test_every_field_of_the_contract_of_tasks_is_used_and_no_other() -> None:
    """Nobody is in both recipients and receiver_id."""
    bodies = [read_http(path).meaning for path in HTTP if path.startswith("send/") and "-task" in path]
    members = {name for body in bodies if isinstance(body, dict) for name in body}
    assert members == set("from subject template recipients receiver_id reply_to unsubscribe ad when".split())


def test_the_wrong_mails_are_wrong_in_the_one_way_their_names_say() -> None:
    """Everything but that one thing is as in the plain template mail."""
    plain = read_http("send/function-url-template.json").meaning
    odd = {
        "recipients-51": {"to"}, "alias-colon": {"from"}, "attachment-refused-type": {"attachments"},
        "attachment-illegal-names": {"attachments"}, "bcc-repeats-recipient": {"bcc"}, "unverified-sender": {"from"},
        "template-pending": {"template"}, "blacklisted": {"to"}, "attachment-not-base64": {"attachments"},
    }  # fmt: skip
    for case, fields in odd.items():
        body = read_http(f"send/function-url-{case}.json").meaning
        assert {name for name in body if body[name] != plain.get(name)} == fields
    assert len(set(read_http("send/function-url-recipients-51.json").meaning["to"])) == 51
    assert read_http("send/function-url-template-pending.json").meaning["template"]["id"] == 100092
    domain = read_http("send/function-url-unverified-sender.json").meaning["from"].rpartition("@")[2].rstrip(">")
    assert domain != defaults.SENDER_DOMAIN


@pytest.mark.parametrize("path", [path for path in HTTP if path.startswith("send/")])
def test_a_send_event_carries_the_local_key_unless_its_name_says_otherwise(path: str) -> None:
    """What is to be accepted must be acceptable to localcloud as it stands."""
    given = read_http(path).headers.get("authorization")
    case = shape_and_case(path)[1]
    if "key" in case or case == "wrong-scheme":
        assert given != f"Bearer {defaults.SEND_KEY}"
    else:
        assert given == f"Bearer {defaults.SEND_KEY}"


@pytest.mark.parametrize("path", ALL)
def test_every_address_is_one_that_nobody_owns(path: str) -> None:
    """Reserved names only (RFC 2606), but for the vendor's own samples: nothing here can ever reach a person."""
    text = json.dumps(ALL[path] if path not in HTTP else [ALL[path], str(read_http(path).meaning)], ensure_ascii=False)
    domains = {domain.lower() for domain in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text)}
    ours = re.compile(r"(.+\.)?(example\.(com|org)|mailtrail\.test)")
    assert all(ours.fullmatch(domain) or domain == "fromexample.com" for domain in domains), domains
