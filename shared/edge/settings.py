"""The environment, read at every invocation: the role's temporary key changes under a warm instance.

Each function asks only for what it uses, and learns of everything that is missing or wrong at once.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_S = TypeVar("_S")

SHORTEST_SECRET = 12
"""Characters below which a secret of ours is refused as weak."""


class SettingsError(Exception):
    """The environment is not fit for this function; ``problems`` names every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class CredentialSettings(NamedTuple):
    """The function's key pair, with the token of its role."""

    secret_id: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        """Name the key, never show it."""
        return f"CredentialSettings({self.secret_id[:8]}…)"


class BucketSettings(NamedTuple):
    """Where the trail lies; the fields of shared.trail.store.Place after the credential."""

    bucket: str
    region: str
    endpoint: str
    claim: str


class SesSettings(NamedTuple):
    """Which SES: site, region, endpoint (empty: the site's), permitted requests a second."""

    site: str
    region: str
    endpoint: str
    rate_per_s: float


class SendCloudSettings(NamedTuple):
    """SendCloud's API; ``api_user`` is empty when it is not used."""

    endpoint: str
    api_user: str
    api_key: str

    def __repr__(self) -> str:
        """Name the user, never show the key."""
        return f"SendCloudSettings({self.api_user} at {self.endpoint})"


class Secrets(tuple[str, ...]):
    """Live secrets of one kind, the newest first, which never show in a log line or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say how many there are."""
        return f"<{len(self)} secrets>"


class SendSettings(NamedTuple):
    """What ``send`` needs."""

    credential: CredentialSettings
    bucket: BucketSettings
    ses: SesSettings
    utc_offset_s: int
    send_keys: tuple[str, ...]
    token_keys: tuple[str, ...]


class WebhookSettings(NamedTuple):
    """What ``webhook`` needs."""

    credential: CredentialSettings
    bucket: BucketSettings
    utc_offset_s: int
    secrets: tuple[str, ...]
    token_keys: tuple[str, ...]
    sendcloud_app_keys: tuple[str, ...]


class SnapshotSettings(NamedTuple):
    """What ``snapshot`` needs."""

    credential: CredentialSettings
    bucket: BucketSettings
    ses: SesSettings
    sendcloud: SendCloudSettings
    utc_offset_s: int


class ReportSettings(NamedTuple):
    """What ``report`` needs."""

    credential: CredentialSettings
    bucket: BucketSettings
    utc_offset_s: int


def send_settings(environ: Mapping[str, str]) -> SendSettings:
    """Read what ``send`` needs. Raises SettingsError."""
    reader = _Reader(environ)
    return reader.done(
        SendSettings(
            reader.credential(),
            reader.bucket(),
            reader.ses(),
            reader.utc_offset_s(),
            reader.secrets("SEND_KEYS", required=True),
            reader.secrets("TOKEN_KEY"),
        )
    )


def webhook_settings(environ: Mapping[str, str]) -> WebhookSettings:
    """Read what ``webhook`` needs. Raises SettingsError."""
    reader = _Reader(environ)
    return reader.done(
        WebhookSettings(
            reader.credential(),
            reader.bucket(),
            reader.utc_offset_s(),
            reader.secrets("WEBHOOK_SECRETS", required=True),
            reader.secrets("TOKEN_KEY"),
            reader.secrets("SENDCLOUD_APP_KEY"),
        )
    )


def snapshot_settings(environ: Mapping[str, str]) -> SnapshotSettings:
    """Read what ``snapshot`` needs. Raises SettingsError."""
    reader = _Reader(environ)
    return reader.done(
        SnapshotSettings(reader.credential(), reader.bucket(), reader.ses(), reader.sendcloud(), reader.utc_offset_s())
    )


def report_settings(environ: Mapping[str, str]) -> ReportSettings:
    """Read what ``report`` needs. Raises SettingsError."""
    reader = _Reader(environ)
    return reader.done(ReportSettings(reader.credential(), reader.bucket(), reader.utc_offset_s()))


def clock(environ: Mapping[str, str]) -> Callable[[], float]:
    """Return the clock to live by, in epoch seconds: the machine's.

    ``MAILTRAIL_CLOCK_OFFSET_S`` moves it; localcloud sets it so that functions live in its simulated time.
    Raises SettingsError.
    """
    try:
        offset_s = float(environ.get("MAILTRAIL_CLOCK_OFFSET_S") or 0)
    except ValueError as error:
        raise SettingsError(["MAILTRAIL_CLOCK_OFFSET_S must be a number of seconds"]) from error
    return lambda: time.time() + offset_s


def time_left(context: Mapping[str, object], margin_s: float) -> Callable[[], float]:
    """Return a function that tells the seconds left of this invocation, less a margin to answer in.

    SCF tells only the limit (``time_limit_in_ms``), so the time is counted from now.
    """
    limit_s = float(str(context.get("time_limit_in_ms") or 3000)) / 1000
    end = time.monotonic() + limit_s - margin_s
    return lambda: end - time.monotonic()


def _with_path(endpoint: str) -> str:
    """Complete a SendCloud host without a path by that of its generation of documents."""
    parts = urlsplit(endpoint)
    if parts.path.strip("/"):
        return endpoint
    newer = parts.hostname == "api2.sendcloud.net" or (parts.hostname or "").endswith(".aurorasendcloud.com")
    return endpoint.rstrip("/") + ("/api" if newer else "/apiv2")


class _Reader:
    """Reads settings and keeps the problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def done(self, settings: _S) -> _S:
        if self._problems:
            raise SettingsError(self._problems)
        return settings

    def credential(self) -> CredentialSettings:
        # SCF gives the role's key without underscores; the SDKs' own names have them.
        secret_id = self._first("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID")
        secret_key = self._first("TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SECRET_KEY")
        token = self._get("TENCENTCLOUD_SESSIONTOKEN") or self._get("TENCENTCLOUD_TOKEN")
        return CredentialSettings(secret_id, secret_key, token)

    def bucket(self) -> BucketSettings:
        claim = self._choice("MAILTRAIL_CLAIM", ("forbid-overwrite", "append"))
        name, region = self._required("MAILTRAIL_BUCKET"), self._required("MAILTRAIL_REGION")
        if name and not re.fullmatch(r"[a-z0-9][a-z0-9-]*-\d+", name):
            self._problems.append("MAILTRAIL_BUCKET must be <name>-<appid>")
        return BucketSettings(name, region, self._endpoint("COS_ENDPOINT", scheme="(https?://)?"), claim)

    def ses(self) -> SesSettings:
        rate = self._get("SES_RATE") or "20"
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", rate) or float(rate) <= 0:
            self._problems.append("SES_RATE must be a number of requests a second above 0")
            rate = "1"
        site = self._choice("SES_SITE", ("cn", "intl"))
        return SesSettings(site, self._get("SES_REGION"), self._endpoint("SES_ENDPOINT"), float(rate))

    def sendcloud(self) -> SendCloudSettings:
        user, key = self._get("SENDCLOUD_API_USER"), self._get("SENDCLOUD_API_KEY")
        if bool(user) != bool(key):
            self._problems.append("SENDCLOUD_API_USER and SENDCLOUD_API_KEY go together")
        endpoint = self._endpoint("SENDCLOUD_ENDPOINT") or "https://api.sendcloud.net"
        return SendCloudSettings(_with_path(endpoint), user, key)

    def utc_offset_s(self) -> int:
        text = self._get("MAILTRAIL_UTC_OFFSET") or "+08:00"
        match = re.fullmatch(r"([+-])([0-9]{2}):([0-5][0-9])", text)
        if not match or int(match[2]) > 14:
            self._problems.append("MAILTRAIL_UTC_OFFSET must look like +08:00")
            return 0
        seconds = int(match[2]) * 3600 + int(match[3]) * 60
        return -seconds if match[1] == "-" else seconds

    def secrets(self, name: str, *, required: bool = False) -> Secrets:
        found = Secrets(part.strip() for part in self._get(name).split(",") if part.strip())
        if required and not found:
            self._problems.append(f"{name} is missing")
        self._problems += [f"{name} holds a secret of under {SHORTEST_SECRET} characters"] * any(
            len(secret) < SHORTEST_SECRET for secret in found
        )
        return found

    def _endpoint(self, name: str, *, scheme: str = "https?://") -> str:
        value = self._get(name)
        if value and not re.fullmatch(scheme + r"[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?", value):
            self._problems.append(f"{name} must look like https://host")
            return ""
        return value

    def _get(self, name: str) -> str:
        return (self._environ.get(name) or "").strip()

    def _required(self, name: str) -> str:
        return self._first(name)

    def _first(self, *names: str) -> str:
        for name in names:
            if self._get(name):
                return self._get(name)
        self._problems.append(f"{names[0]} is missing")
        return ""

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._get(name) or choices[0]
        if value not in choices:
            self._problems.append(f"{name} must be one of {', '.join(choices)}")
        return value
