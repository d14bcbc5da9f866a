"""The environment, read with every problem kept, so that all of them are told at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

from shared.edge.guard_modes import parse_modes
from shared.edge.weakness import weakness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.edge.guard_modes import GuardModes

_S = TypeVar("_S")

# As text: each is compiled when it is first used, and most invocations do not use all of them.
_BUCKET = r"[a-z0-9][a-z0-9-]*-\d+"
_REGION = r"[a-z]+(-[a-z0-9]+)*[a-z0-9]"
_NUMBER = r"[0-9]{1,6}(\.[0-9]{1,6})?"
_OFFSET = r"([+-])([0-9]{2}):([0-5][0-9])"
_IN_A_PATH = r"[A-Za-z0-9._~-]+"
_ENDPOINT = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?"
_ENDPOINT_OR_HOST = r"(https?://)?[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?"
_PUBLIC_URL = (
    # RFC 8058 wants HTTPS; localcloud has a loopback port.
    r"(https://[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


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


def _with_path(endpoint: str) -> str:
    """Complete a SendCloud host without a path by that of its generation of documents."""
    parts = urlsplit(endpoint)
    if parts.path.strip("/"):
        return endpoint
    newer = parts.hostname == "api2.sendcloud.net" or (parts.hostname or "").endswith(".aurorasendcloud.com")
    return endpoint.rstrip("/") + ("/api" if newer else "/apiv2")


class Reader:
    """Reads settings and keeps the problems; ``done`` raises them together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def done(self, settings: _S) -> _S:
        """Return ``settings``, or raise SettingsError with every problem."""
        if self._problems:
            raise SettingsError(self._problems)
        return settings

    def credential(self) -> CredentialSettings:
        """Read the key pair of the role, or of the SDKs' own names."""
        # SCF gives the role's key without underscores; the SDKs' own names have them.
        secret_id = self._first("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID")
        secret_key = self._first("TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SECRET_KEY")
        token = self._get("TENCENTCLOUD_SESSIONTOKEN") or self._get("TENCENTCLOUD_TOKEN")
        return CredentialSettings(secret_id, secret_key, token)

    def bucket(self) -> BucketSettings:
        """Read where the trail lies."""
        claim = self._choice("MAILTRAIL_CLAIM", ("forbid-overwrite", "append"))
        name, region = self._required("MAILTRAIL_BUCKET"), self._required("MAILTRAIL_REGION")
        if name and not re.fullmatch(_BUCKET, name):
            self._problems.append("MAILTRAIL_BUCKET must be <name>-<appid>")
        if region and not re.fullmatch(_REGION, region):
            self._problems.append("MAILTRAIL_REGION must look like ap-guangzhou")
        return BucketSettings(name, region, self._endpoint("COS_ENDPOINT", _ENDPOINT_OR_HOST), claim)

    def ses(self) -> SesSettings:
        """Read which SES is spoken to, and how fast."""
        rate = self._get("SES_RATE") or "20"
        if not re.fullmatch(_NUMBER, rate) or float(rate) <= 0:
            self._problems.append("SES_RATE must be a number of requests a second above 0 and below a million")
            rate = "1"
        site = self._choice("SES_SITE", ("cn", "intl"))
        return SesSettings(site, self._get("SES_REGION"), self._endpoint("SES_ENDPOINT"), float(rate))

    def number(self, name: str, default: float, *, least: float, most: float, unit: str) -> float:
        """Read a number, with or without a fraction."""
        text = self._get(name)
        if not text:
            return default
        if not re.fullmatch(_NUMBER, text) or not least <= float(text) <= most:
            self._problems.append(f"{name} must be a number of {unit} from {least:g} to {most:g}")
            return default
        return float(text)

    def guard_modes(self, name: str) -> GuardModes:
        """Read what ``send`` checks, and how."""
        modes, problems = parse_modes(self._get(name))
        self._problems += [f"{name} {problem}" for problem in problems]
        return modes

    def sendcloud(self) -> SendCloudSettings:
        """Read SendCloud's API user and endpoint; empty when it is not used."""
        user, key = self._get("SENDCLOUD_API_USER"), self._get("SENDCLOUD_API_KEY")
        if bool(user) != bool(key):
            self._problems.append("SENDCLOUD_API_USER and SENDCLOUD_API_KEY go together")
        endpoint = self._endpoint("SENDCLOUD_ENDPOINT") or "https://api.sendcloud.net"
        return SendCloudSettings(_with_path(endpoint), user, key)

    def utc_offset_s(self) -> int:
        """Read the zone of the days, in seconds east of UTC."""
        text = self._get("MAILTRAIL_UTC_OFFSET") or "+08:00"
        match = re.fullmatch(_OFFSET, text)
        if not match or int(match[2]) > 14:
            self._problems.append("MAILTRAIL_UTC_OFFSET must look like +08:00")
            return 0
        seconds = int(match[2]) * 3600 + int(match[3]) * 60
        return -seconds if match[1] == "-" else seconds

    def path_secrets(self, name: str) -> Secrets:
        """Read secrets that stand in a URL's path: one of other characters could never match."""
        found = self.secrets(name, required=True)
        if any(not re.fullmatch(_IN_A_PATH, secret) for secret in found):
            self._problems.append(f"{name} may hold letters, digits and . _ ~ - only: it stands in a URL")
        return found

    def secrets(self, name: str, *, required: bool = False) -> Secrets:
        """Read live secrets, comma-separated, the newest first."""
        found = Secrets(part.strip() for part in self._get(name).split(",") if part.strip())
        if required and not found:
            self._problems.append(f"{name} is missing")
        # Each rule once, in the order of the list.
        self._problems += [f"{name} holds a secret {rule}" for rule in dict.fromkeys(map(weakness, found)) if rule]
        return found

    def public_url(self, name: str) -> str:
        """Read the address under which strangers reach a function, without a slash at its end; empty: there is none."""
        value = self._get(name).rstrip("/")
        if value and not re.fullmatch(_PUBLIC_URL, value):
            self._problems.append(f"{name} must look like https://host or https://host/stage")
            return ""
        return value

    def is_on(self, name: str) -> bool:
        """Read a switch, off unless it says ``on``."""
        return self._choice(name, ("off", "on")) == "on"

    def world(self) -> str:
        """Read which localcloud it is; in the cloud there is one, and it has no name."""
        return self._get("MAILTRAIL_WORLD")

    def _endpoint(self, name: str, shape: str = _ENDPOINT) -> str:
        value = self._get(name)
        if value and not re.fullmatch(shape, value):
            self._problems.append(f"{name} must look like https://host")
            return ""
        return value

    def _get(self, name: str) -> str:
        try:
            return (self._environ[name] or "").strip()  # os.environ.get does this too, by two more calls
        except KeyError:
            return ""

    def _required(self, name: str) -> str:
        return self._first(name)

    def _first(self, *names: str) -> str:
        for name in names:
            if value := self._get(name):
                return value
        self._problems.append(f"{names[0]} is missing")
        return ""

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._get(name) or choices[0]
        if value not in choices:
            self._problems.append(f"{name} must be one of {', '.join(choices)}")
        return value
