"""What each function asks of the environment, read at every invocation: a role's key changes under a warm instance.

Each function asks only for what it uses, and learns of everything that is missing or wrong at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.edge.environment import Reader, Secrets, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.edge.environment import BucketSettings, CredentialSettings, SendCloudSettings, SesSettings
    from shared.edge.guard_modes import GuardModes


class SendSettings(NamedTuple):
    """What ``send`` needs. ``unsubscribe_url``: before ``/unsubscribe/…`` in the links of mails; empty: no links.

    ``guard``: what is checked before SES is asked; ``hourly``: mails that an address may get in an hour, 0: no limit.
    ``world``: which localcloud it is, empty in the cloud.
    """

    credential: CredentialSettings
    bucket: BucketSettings
    ses: SesSettings
    utc_offset_s: int
    send_keys: tuple[str, ...]
    token_keys: tuple[str, ...]
    unsubscribe_url: str
    guard: GuardModes
    hourly: int
    world: str


class WebhookSettings(NamedTuple):
    """What ``webhook`` needs."""

    credential: CredentialSettings
    bucket: BucketSettings
    utc_offset_s: int
    secrets: tuple[str, ...]
    token_keys: tuple[str, ...]
    sendcloud_app_keys: tuple[str, ...]


class CallbackSecrets(NamedTuple):
    """What a callback is authenticated by, and encrypted by when it cannot be stored."""

    path: tuple[str, ...]
    token_keys: tuple[str, ...]
    sendcloud_app_keys: tuple[str, ...]


class SnapshotSettings(NamedTuple):
    """What ``snapshot`` needs. ``share``: of SES_RATE, what it may take; ``settle_s``: see ``due.py``."""

    credential: CredentialSettings
    bucket: BucketSettings
    ses: SesSettings
    sendcloud: SendCloudSettings
    utc_offset_s: int
    share: float
    settle_s: float


class ReportSettings(NamedTuple):
    """What ``report`` needs. ``blacklist``: the SES that is told who unsubscribed by a link; None: none is."""

    credential: CredentialSettings
    bucket: BucketSettings
    utc_offset_s: int
    blacklist: SesSettings | None


def send_settings(environ: Mapping[str, str]) -> SendSettings:
    """Read what ``send`` needs. Raises SettingsError."""
    reader = Reader(environ)
    return reader.done(
        SendSettings(
            reader.credential(),
            reader.bucket(),
            reader.ses(),
            reader.utc_offset_s(),
            reader.secrets("SEND_KEYS", required=True),
            reader.secrets("TOKEN_KEY", required=bool(environ.get("UNSUBSCRIBE_URL"))),
            reader.public_url("UNSUBSCRIBE_URL"),
            reader.guard_modes("SEND_GUARD"),
            int(reader.number("SES_HOURLY", 10, least=0, most=999_999, unit="mails an hour")),
            reader.world(),
        )
    )


def webhook_settings(environ: Mapping[str, str]) -> WebhookSettings:
    """Read what ``webhook`` needs. Raises SettingsError."""
    reader = Reader(environ)
    return reader.done(
        WebhookSettings(
            reader.credential(),
            reader.bucket(),
            reader.utc_offset_s(),
            reader.path_secrets("WEBHOOK_SECRETS"),
            reader.secrets("TOKEN_KEY"),
            reader.secrets("SENDCLOUD_APP_KEY"),
        )
    )


def callback_secrets(environ: Mapping[str, str]) -> CallbackSecrets:
    """Read the secrets of ``webhook`` that are fit, whatever else in the environment is not. Never raises."""

    def fit(name: str, read: Callable[[Reader, str], Secrets]) -> Secrets:
        each = [Reader({name: part}) for part in (environ.get(name) or "").split(",")]
        found = [(reader, read(reader, name)) for reader in each]
        return Secrets(secret for reader, secrets in found for secret in secrets if _is_fit(reader))

    return CallbackSecrets(
        fit("WEBHOOK_SECRETS", Reader.path_secrets),
        fit("TOKEN_KEY", Reader.secrets),
        fit("SENDCLOUD_APP_KEY", Reader.secrets),
    )


def _is_fit(reader: Reader) -> bool:
    try:
        reader.done(None)
    except SettingsError:
        return False
    return True


def snapshot_settings(environ: Mapping[str, str]) -> SnapshotSettings:
    """Read what ``snapshot`` needs. Raises SettingsError."""
    reader = Reader(environ)
    return reader.done(
        SnapshotSettings(
            reader.credential(),
            reader.bucket(),
            reader.ses(),
            reader.sendcloud(),
            reader.utc_offset_s(),
            reader.number("SNAPSHOT_SHARE", 100, least=1, most=100, unit="percent of SES_RATE") / 100,
            reader.number("SNAPSHOT_SETTLE_DAYS", 3, least=0, most=25, unit="days") * 86400,
        )
    )


def report_settings(environ: Mapping[str, str]) -> ReportSettings:
    """Read what ``report`` needs. Raises SettingsError."""
    reader = Reader(environ)
    blacklist = reader.ses() if reader.is_on("UNSUBSCRIBE_BLACKLIST") else None
    return reader.done(ReportSettings(reader.credential(), reader.bucket(), reader.utc_offset_s(), blacklist))
