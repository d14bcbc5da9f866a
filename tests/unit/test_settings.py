"""Settings: every problem at once, only what the function uses, nothing weak, nothing shown."""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud import defaults
from shared.edge import clock, settings
from shared.edge.environment import CredentialSettings, SettingsError
from shared.edge.guard_modes import GuardModes
from shared.trail.store import Place

SHARED = {
    "TENCENTCLOUD_SECRETID": "AKIDEXAMPLE1234",
    "TENCENTCLOUD_SECRETKEY": "secret-key-of-the-role",
    "TENCENTCLOUD_SESSIONTOKEN": "session-token-of-the-role",
    "MAILTRAIL_BUCKET": "mailtrail-1250000000",
    "MAILTRAIL_REGION": "ap-guangzhou",
}
SEND = {**SHARED, "SEND_KEYS": "first-send-key-, second-send-key", "TOKEN_KEY": "callback-token-key"}
WEBHOOK = {
    **SHARED,
    "WEBHOOK_SECRETS": "first-webhook-secret,second-webhook-secret",
    "SENDCLOUD_APP_KEY": "app-key-of-sendcloud",
}
READERS = {
    "send": (settings.send_settings, SEND),
    "webhook": (settings.webhook_settings, WEBHOOK),
    "snapshot": (settings.snapshot_settings, SHARED),
    "report": (settings.report_settings, SHARED),
}


def problems_of(read, environ: dict[str, str]) -> list[str]:
    """Return what is wrong; fails when nothing is."""
    with pytest.raises(SettingsError) as caught:
        read(environ)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def test_what_send_reads():
    """Every value in its place, blanks around it taken away, defaults for the rest."""
    read = settings.send_settings({**SEND, "SES_SITE": "intl", "SES_RATE": "2.5", "MAILTRAIL_UTC_OFFSET": " -03:30 "})
    assert read.credential == ("AKIDEXAMPLE1234", "secret-key-of-the-role", "session-token-of-the-role")
    assert read.bucket == ("mailtrail-1250000000", "ap-guangzhou", "", "forbid-overwrite")
    assert read.ses == ("intl", "", "", 2.5)
    assert read.utc_offset_s == -(3 * 3600 + 1800)
    assert read.send_keys == ("first-send-key-", "second-send-key")
    assert read.token_keys == ("callback-token-key",)
    assert Place(*read.credential, *read.bucket).claim == "forbid-overwrite"


ALL_ON = GuardModes("on", "on", "on", "on", "on", "on", "on")


@pytest.mark.parametrize(
    ("given", "modes"),
    [
        ("", ALL_ON),
        ("on", ALL_ON),
        ("off", GuardModes(*["off"] * 7)),
        ("warn", GuardModes(*["warn"] * 7)),
        ("suppression=warn,quota=off", ALL_ON._replace(suppression="warn", quota="off")),
        (" quota = off , warn ", GuardModes(*["warn"] * 7)._replace(quota="off")),
        ("off,rate=on,", GuardModes(*["off"] * 7)._replace(rate="on")),
    ],
)
def test_what_the_guard_of_send_checks(given: str, modes: GuardModes):
    """One mode alone is every other check's, wherever it stands."""
    assert settings.send_settings({**SEND, "SEND_GUARD": given}).guard == modes


def test_every_check_and_every_mode_that_is_none_is_named():
    told = problems_of(
        settings.send_settings, {**SEND, "SEND_GUARD": "spam=on,quota=maybe,size=1,rate,quota=off,warn,off"}
    )
    assert [problem.partition(";")[0] for problem in told] == [
        "SEND_GUARD knows no check spam",
        "SEND_GUARD knows no mode 1, maybe, rate",
        "SEND_GUARD names every check, quota more than once",
    ]


@pytest.mark.parametrize(("given", "hourly"), [("", 10), ("0", 0), ("25", 25)])
def test_how_many_mails_an_address_may_get_in_an_hour(given: str, hourly: int):
    assert settings.send_settings({**SEND, "SES_HOURLY": given}).hourly == hourly


def test_an_hourly_limit_that_is_none_is_named():
    (problem,) = problems_of(settings.send_settings, {**SEND, "SES_HOURLY": "-1"})
    assert problem == "SES_HOURLY must be a number of mails an hour from 0 to 999999"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://mail.example.com", "https://mail.example.com"),
        (" https://mail.example.com:8080/release/ ", "https://mail.example.com:8080/release"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://localhost:9000/", "http://localhost:9000"),
        ("", ""),
    ],
)
def test_the_address_of_unsubscribe_links_is_https_or_of_this_machine(given, read):
    """RFC 8058 wants HTTPS; what the links begin with ends without a slash."""
    assert settings.send_settings({**SEND, "UNSUBSCRIBE_URL": given}).unsubscribe_url == read


@pytest.mark.parametrize(
    "wrong",
    ["http://mail.example.com", "mail.example.com", "https://a b", "https://h/?q=1", "https://h/#x", "https://h/<>"],
)
def test_an_address_that_no_link_could_begin_with_is_named(wrong):
    """A link must survive a header line and a browser as it is."""
    (problem,) = problems_of(settings.send_settings, {**SEND, "UNSUBSCRIBE_URL": wrong})
    assert problem.startswith("UNSUBSCRIBE_URL ")


def test_ses_is_told_of_unsubscribes_only_when_somebody_says_so():
    """Off unless it says on; what SES needs is read only then."""
    assert settings.report_settings({**SHARED, "SES_SITE": "mars"}).blacklist is None
    on = {**SHARED, "UNSUBSCRIBE_BLACKLIST": "on"}
    assert settings.report_settings({**on, "SES_SITE": "intl"}).blacklist == ("intl", "", "", 20.0)
    assert problems_of(settings.report_settings, {**on, "SES_SITE": "mars"}) == ["SES_SITE must be one of cn, intl"]
    assert problems_of(settings.report_settings, {**SHARED, "UNSUBSCRIBE_BLACKLIST": "yes"}) == [
        "UNSUBSCRIBE_BLACKLIST must be one of off, on"
    ]


def test_what_the_others_read():
    """Optional things are empty when they are absent."""
    webhook = settings.webhook_settings(WEBHOOK)
    assert webhook.secrets == ("first-webhook-secret", "second-webhook-secret")
    assert webhook.sendcloud_app_keys == ("app-key-of-sendcloud",)
    assert webhook.token_keys == ()
    snapshot = settings.snapshot_settings({**SHARED, "SENDCLOUD_API_USER": "user", "SENDCLOUD_API_KEY": "key"})
    assert snapshot.sendcloud == ("https://api.sendcloud.net/apiv2", "user", "key")
    assert snapshot.ses == ("cn", "", "", 20.0)
    assert settings.snapshot_settings(SHARED).sendcloud.api_user == ""
    assert (snapshot.share, snapshot.settle_s) == (1.0, 3 * 86400)
    chosen = settings.snapshot_settings({**SHARED, "SNAPSHOT_SHARE": "62.5", "SNAPSHOT_SETTLE_DAYS": "0.5"})
    assert (chosen.share, chosen.settle_s) == (0.625, 43200)


@pytest.mark.parametrize("share", ["0", "101", "-1", "half", "1e2", "50%"])
def test_a_share_that_is_no_percentage_is_named(share):
    """All wrong numbers at once."""
    wrong = {"SNAPSHOT_SHARE": share, "SNAPSHOT_SETTLE_DAYS": "26"}
    assert [problem.split()[0] for problem in problems_of(settings.snapshot_settings, {**SHARED, **wrong})] == list(
        wrong
    )
    report = settings.report_settings({**SHARED, "COS_ENDPOINT": "http://127.0.0.1:9002", "MAILTRAIL_CLAIM": "append"})
    assert report.bucket[2:] == ("http://127.0.0.1:9002", "append")
    assert report.utc_offset_s == 8 * 3600


@pytest.mark.parametrize("name", READERS)
def test_a_function_asks_only_for_what_it_uses(name: str):
    """With the smallest environment that it needs, and with nothing more."""
    read, environ = READERS[name]
    needed = {
        key: environ[key]
        for key in environ
        if key not in ("TENCENTCLOUD_SESSIONTOKEN", "TOKEN_KEY", "SENDCLOUD_APP_KEY")
    }
    read(needed)
    for missing in needed:
        assert problems_of(read, {**needed, missing: " "}) == [f"{missing} is missing"]


@pytest.mark.parametrize(
    ("name", "own"),
    [("send", ["SEND_KEYS is missing"]), ("webhook", ["WEBHOOK_SECRETS is missing"]), ("snapshot", []), ("report", [])],
)
def test_everything_that_is_missing_is_named_at_once(name: str, own: list[str]):
    """One deployment, one list."""
    names = ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "MAILTRAIL_BUCKET", "MAILTRAIL_REGION")
    assert problems_of(READERS[name][0], {}) == [f"{name} is missing" for name in names] + own


def test_everything_that_is_wrong_is_named_at_once():
    """Beside what is missing; no value is repeated in a message."""
    wrong = {
        "MAILTRAIL_BUCKET": "Mailtrail",
        "MAILTRAIL_UTC_OFFSET": "Beijing",
        "MAILTRAIL_CLAIM": "lock",
        "SES_SITE": "mars",
        "SES_RATE": "0",
        "SES_ENDPOINT": "ses.tencentcloudapi.com",
        "SENDCLOUD_ENDPOINT": "ftp://x",
        "COS_ENDPOINT": "http://",
        "SENDCLOUD_API_USER": "user",
        "MAILTRAIL_REGION": "Guangzhou!",
    }
    told = problems_of(settings.snapshot_settings, {**SHARED, "TENCENTCLOUD_SECRETKEY": "", **wrong})
    named = {*wrong, "TENCENTCLOUD_SECRETKEY"}
    assert {name for name in named if any(text.startswith(name) for text in told)} == named
    assert len(told) == len(named)
    assert not any(value in text for text in told for value in ("Mailtrail", "Beijing", "mars"))


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "token"),
    list(
        itertools.product(
            ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID"),
            ("TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SECRET_KEY"),
            ("TENCENTCLOUD_SESSIONTOKEN", "TENCENTCLOUD_TOKEN"),
        )
    ),
)
def test_both_spellings_of_a_credential(secret_id: str, secret_key: str, token: str):
    """SCF's own names have no underscores, the SDKs' have."""
    bucket = {name: value for name, value in SHARED.items() if name.startswith("MAILTRAIL")}
    read = settings.report_settings({**bucket, secret_id: "id", secret_key: "key", token: "token"})
    assert read.credential == ("id", "key", "token")


def test_the_roles_key_goes_before_one_that_was_set_by_hand():
    """The platform's spelling is the one that is fresh at each invocation."""
    both = {**SHARED, "TENCENTCLOUD_SECRET_ID": "old", "TENCENTCLOUD_SECRET_KEY": "old", "TENCENTCLOUD_TOKEN": "old"}
    assert settings.report_settings(both) == settings.report_settings(SHARED)


def test_no_repr_shows_a_secret():
    """Tracebacks, assertion messages and careless log lines show reprs."""
    sendcloud = {"SENDCLOUD_API_USER": "user", "SENDCLOUD_API_KEY": "key-of-sendcloud"}
    read = [
        settings.send_settings(SEND),
        settings.webhook_settings({**WEBHOOK, "TOKEN_KEY": "callback-token-key"}),
        settings.snapshot_settings({**SHARED, **sendcloud}),
        settings.report_settings(SHARED),
        Place(*settings.report_settings(SHARED).credential, *settings.report_settings(SHARED).bucket),
        CredentialSettings("AKIDEXAMPLE1234", "secret-key-of-the-role", "session-token-of-the-role"),
    ]
    hidden = {*SEND.values(), *WEBHOOK.values(), "key-of-sendcloud"} - set(SHARED.values())
    hidden |= {SHARED[name] for name in SHARED if name.startswith("TENCENTCLOUD")}
    parts = {part.strip() for value in hidden for part in value.split(",")}
    for value in read:
        assert not [part for part in parts if part in repr(value) or part in str(value)]
    assert "AKIDEXAM" in repr(read[0])
    assert "2 secrets" in repr(read[0])
    assert "user" in repr(read[2])


@pytest.mark.parametrize("name", ["SEND_KEYS", "TOKEN_KEY"])
@pytest.mark.parametrize("value", ["short", "long-enough-key,short", "elevenchars"])
def test_a_weak_secret_is_refused(name: str, value: str):
    """Under 12 characters, each of them; said once and without showing it."""
    told = problems_of(settings.send_settings, {**SEND, name: value})
    assert told == [f"{name} holds a secret of under 12 characters"]


ONE_LETTER, PLACEHOLDER = "of under 6 different characters", "that is a placeholder"
WEAK = {
    "aaaaaaaaaaaaaaaa": ONE_LETTER,
    "abcabcabcabcabcabc": ONE_LETTER,
    "------------------": ONE_LETTER,
    "1010101010101010101010": ONE_LETTER,
    "changeme-please": PLACEHOLDER,
    "Change_Me_Now_1": PLACEHOLDER,
    "secret-secret-secret": PLACEHOLDER,
    "secret123456789": PLACEHOLDER,
    "password-for-all": PLACEHOLDER,
    "P4ssw0rd-P4ssw0rd": PLACEHOLDER,
    "your-secret-here": PLACEHOLDER,
    "my.token.is.here": PLACEHOLDER,
    "replace-this-key": PLACEHOLDER,
    "example-secret-1": PLACEHOLDER,
    "123456789012": PLACEHOLDER,
    "01234567890123456789": PLACEHOLDER,
    "qwertyuiop-12345": PLACEHOLDER,
    "abcdefghijklmnopqrstuvwxyz": PLACEHOLDER,
}
KINDS = {
    "SEND_KEYS": (settings.send_settings, SEND),
    "TOKEN_KEY": (settings.webhook_settings, WEBHOOK),
    "WEBHOOK_SECRETS": (settings.webhook_settings, WEBHOOK),
    "SENDCLOUD_APP_KEY": (settings.webhook_settings, WEBHOOK),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", WEAK)
def test_a_secret_that_anybody_tries_first_is_refused(name: str, value: str):
    """The message says which rule, never the secret; a good one beside it does not help."""
    read, environ = KINDS[name]
    for given_value in (value, f"{value},a-good-one-beside-it", f" a-good-one-beside-it , {value} "):
        (told,) = problems_of(read, {**environ, name: given_value})
        assert told.startswith(f"{name} holds a secret {WEAK[value]}")
        assert value.lower() not in told.lower()


def test_each_rule_is_told_once():
    """Whatever the number of secrets that break it."""
    value = "short,brief,aaaaaaaaaaaa,bbbbbbbbbbbb,changemenow1"
    told = problems_of(settings.webhook_settings, {**WEBHOOK, "WEBHOOK_SECRETS": value})
    assert [text.partition(" holds a secret ")[2][:16] for text in told] == [
        "of under 12 char",
        "of under 6 diffe",
        "that is a placeh",
    ]


@given(st.binary(min_size=16, max_size=48).filter(lambda raw: len(set(raw.hex())) >= 6))
@example(bytes.fromhex("00112233445566778899aabbccddeeff"))
def test_what_a_generator_makes_is_taken(raw: bytes):
    """`openssl rand -hex 16`, also behind a word that says what it is for."""
    for value in (raw.hex(), f"secret-{raw.hex()}", f"changeme{raw.hex()}"):
        assert settings.webhook_settings({**WEBHOOK, "WEBHOOK_SECRETS": value}).secrets == (value,)


def test_localclouds_own_secrets_are_taken():
    """They are documented, so they protect nothing; the rules are for what people make up."""
    for value in (defaults.SEND_KEY, defaults.WEBHOOK_SECRET, defaults.TOKEN_KEY, defaults.SENDCLOUD_APP_KEY):
        assert settings.webhook_settings({**WEBHOOK, "WEBHOOK_SECRETS": value}).secrets == (value,)


@pytest.mark.parametrize("value", [",", " , ", ""])
def test_a_list_of_nothing_is_missing(value: str):
    """Else an empty key would open the door to an empty Authorization."""
    assert problems_of(settings.send_settings, {**SEND, "SEND_KEYS": value}) == ["SEND_KEYS is missing"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("+08:00", 28800),
        ("+00:00", 0),
        ("-00:00", 0),
        ("-12:00", -43200),
        ("+14:00", 50400),
        ("+05:45", 20700),
        ("-03:30", -12600),
    ],
)
def test_offsets(text: str, seconds: int):
    """Sign, hours, minutes."""
    assert settings.report_settings({**SHARED, "MAILTRAIL_UTC_OFFSET": text}).utc_offset_s == seconds


@pytest.mark.parametrize("text", ["8", "+8:00", "08:00", "+15:00", "+08:60", "+0800", "UTC", "+08:00:00", "+０8:00"])
def test_offsets_of_another_shape(text: str):
    """Refused, not guessed: all days of the trail hang on it."""
    assert problems_of(settings.report_settings, {**SHARED, "MAILTRAIL_UTC_OFFSET": text}) == [
        "MAILTRAIL_UTC_OFFSET must look like +08:00"
    ]


@pytest.mark.parametrize("rate", ["0", "0.0", "-1", "fast", "1e3", "nan", "inf", "9" * 400, "٣"])
def test_a_rate_that_is_none(rate: str):
    """Nothing that would end the pace or the function."""
    assert problems_of(settings.send_settings, {**SEND, "SES_RATE": rate})[0].startswith("SES_RATE")


@pytest.mark.parametrize(
    "bucket", ["mailtrail", "1250000000", "-a-1250000000", "A-1250000000", "a_b-1250000000", "a-1250000000/x"]
)
def test_a_bucket_that_is_none(bucket: str):
    """<name>-<appid>."""
    assert problems_of(settings.report_settings, {**SHARED, "MAILTRAIL_BUCKET": bucket}) == [
        "MAILTRAIL_BUCKET must be <name>-<appid>"
    ]


@pytest.mark.parametrize(
    "endpoint", ["https://ses.tencentcloudapi.com", "http://127.0.0.1:9001", "http://localhost:9001/"]
)
def test_endpoints(endpoint: str):
    """A scheme and a host; COS also takes a bare host."""
    assert settings.send_settings({**SEND, "SES_ENDPOINT": endpoint}).ses.endpoint == endpoint
    host = "cos-internal.ap-guangzhou.tencentcos.cn"
    assert settings.report_settings({**SHARED, "COS_ENDPOINT": host}).bucket.endpoint == host


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("", "https://api.sendcloud.net/apiv2"),
        ("https://api.sendcloud.net", "https://api.sendcloud.net/apiv2"),
        ("https://api.sendcloud.net/apiv2", "https://api.sendcloud.net/apiv2"),
        ("https://api2.sendcloud.net/", "https://api2.sendcloud.net/api"),
        ("https://api-hk.aurorasendcloud.com", "https://api-hk.aurorasendcloud.com/api"),
        ("http://127.0.0.1:9003/apiv2", "http://127.0.0.1:9003/apiv2"),
    ],
)
def test_a_sendcloud_host_gets_the_path_of_its_generation(endpoint: str, base: str):
    """``/apiv2`` at the old host, ``/api`` at the newer ones; a path that was given stays."""
    assert settings.snapshot_settings({**SHARED, "SENDCLOUD_ENDPOINT": endpoint}).sendcloud.endpoint == base


NAMES = [*SEND, *WEBHOOK, "SES_RATE", "SES_SITE", "MAILTRAIL_UTC_OFFSET"]
NAMES += ["COS_ENDPOINT", "SES_ENDPOINT", "SENDCLOUD_ENDPOINT"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
@example({"SENDCLOUD_ENDPOINT": "http://["})
def test_any_environment_is_read_or_refused(environ: dict[str, str]):
    """Nothing but SettingsError escapes."""
    for read, _ in READERS.values():
        with contextlib.suppress(SettingsError):
            read(environ)


def test_the_clock_can_be_moved():
    """By localcloud, through the environment; otherwise it is the machine's."""
    assert abs(clock.clock({})() - time.time()) < 5
    assert abs(clock.clock({"MAILTRAIL_CLOCK_OFFSET_S": "-86400.5"})() - (time.time() - 86400.5)) < 5
    with pytest.raises(SettingsError):
        clock.clock({"MAILTRAIL_CLOCK_OFFSET_S": "tomorrow"})


def test_the_time_left_runs_down_from_the_limit():
    """Less the margin to answer in; 3 s is SCF's own default."""
    assert 8.5 < clock.time_left({"time_limit_in_ms": 10_000}, margin_s=1.0)() <= 9
    assert 1.5 < clock.time_left({}, margin_s=1.0)() <= 2
    left = clock.time_left({"time_limit_in_ms": 1000}, margin_s=2.0)
    assert left() < 0
    assert left() > left() - 1


def test_the_gateway_waits_for_what_a_function_answers_at_its_last_moment():
    """Else who is told that it took too long, and whether a repeat is safe, hears of a gateway instead."""
    declared = yaml.safe_load(Path("serverless.yml").read_text())["functions"]
    for function in ("send", "webhook"):
        limit_s = declared[function]["timeout"]
        (waits_s,) = {
            event["apigw"]["parameters"]["serviceTimeout"] for event in declared[function]["events"] if "apigw" in event
        }
        left_s = clock.time_left_to_answer({"time_limit_in_ms": limit_s * 1000})()
        assert left_s + 0.9 < waits_s < limit_s
