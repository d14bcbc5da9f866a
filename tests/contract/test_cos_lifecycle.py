"""Lifecycle rules, carried out by the clock: at the first 00:00 UTC+8 after they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.clock import Clock
from localcloud.cos.service import CosService
from tests.contract.cos_door import KEYS, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400
NOON = 1_795_233_600.0  # 2026-11-21 12:00 UTC+8


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a COS at noon."""
    clock = Clock()
    clock.move_to(NOON)
    cos = CosService(tmp_path, clock, keys=KEYS)
    yield cos
    cos.close()


def set_rule(service: CosService, inside: str, *, filtered: str = "<Prefix>old/</Prefix>", status: str = "Enabled"):
    rule = f"<Rule><ID>r</ID><Filter>{filtered}</Filter><Status>{status}</Status>{inside}</Rule>"
    body = f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>".encode()
    return send(service, "PUT", params={"lifecycle": ""}, body=body)


def exists(service: CosService, key: str) -> bool:
    return send(service, "HEAD", key).status == 200


def test_objects_expire_at_the_midnight_after_they_are_due(service: CosService):
    """One day old at noon, gone at the next midnight; other prefixes stay; so do appendable objects."""
    assert set_rule(service, "<Expiration><Days>1</Days></Expiration>").status == 200
    send(service, "PUT", "old/a")
    send(service, "PUT", "new/a")
    send(service, "POST", "old/log", params={"append": "", "position": "0"}, body=b"x")
    service.clock.move_to(NOON + DAY_S + 11 * 3600)  # 23:00 of the next day: due since noon
    assert exists(service, "old/a")
    service.clock.move_to(NOON + DAY_S + 12 * 3600 + 1)
    assert not exists(service, "old/a")
    assert exists(service, "new/a")
    assert exists(service, "old/log")


def test_a_rule_begins_at_the_midnight_after_it_was_put(service: CosService):
    """Objects long due are left alone until then; a disabled rule never begins."""
    send(service, "PUT", "old/a")
    service.clock.advance(100 * DAY_S)
    set_rule(service, "<Expiration><Days>1</Days></Expiration>")
    assert exists(service, "old/a")
    set_rule(service, "<Expiration><Days>1</Days></Expiration>", status="Disabled")
    service.clock.advance(DAY_S)
    assert exists(service, "old/a")
    set_rule(service, "<Expiration><Days>1</Days></Expiration>")
    service.clock.advance(DAY_S)
    assert not exists(service, "old/a")


def test_a_restart_goes_on(tmp_path: Path):
    """What became due while nothing ran is carried out at the first request afterwards."""
    clock = Clock()
    clock.move_to(NOON)
    first = CosService(tmp_path, clock, keys=KEYS)
    set_rule(first, "<Expiration><Days>1</Days></Expiration>")
    send(first, "PUT", "old/a")
    first.close()
    clock.advance(3 * DAY_S)
    second = CosService(tmp_path, clock, keys=KEYS)
    assert not exists(second, "old/a")
    second.close()


def test_tags_choose(service: CosService):
    """All tags of a rule must be on the object."""
    both = (
        "<And><Prefix>old/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></And>"
    )
    set_rule(service, "<Expiration><Days>0</Days></Expiration>", filtered=both)
    send(service, "PUT", "old/both", headers={"x-cos-tagging": "a=1&b=2&c=3"})
    send(service, "PUT", "old/one", headers={"x-cos-tagging": "a=1"})
    send(service, "PUT", "old/none")
    service.clock.advance(DAY_S)
    assert [exists(service, f"old/{name}") for name in ("both", "one", "none")] == [False, True, True]


def test_transition_and_restore(service: CosService):
    """An object moves to the archive, is refused there, comes back after the tier's hours, and goes again."""
    set_rule(service, "<Transition><Days>1</Days><StorageClass>ARCHIVE</StorageClass></Transition>")
    send(service, "PUT", "old/a", body=b"x")
    assert error_code(send(service, "POST", "old/a", params={"restore": ""}, body=restore(1))) == "InvalidRequest"
    service.clock.advance(2 * DAY_S)
    assert send(service, "HEAD", "old/a").headers["x-cos-storage-class"] == "ARCHIVE"
    assert error_code(send(service, "GET", "old/a")) == "InvalidObjectState"
    assert send(service, "POST", "old/a", params={"restore": ""}, body=restore(1)).status == 202
    again = send(service, "POST", "old/a", params={"restore": ""}, body=restore(1))
    assert error_code(again) == "RestoreAlreadyInProgress"
    assert send(service, "HEAD", "old/a").headers["x-cos-restore"] == 'ongoing-request="true"'
    service.clock.advance(6 * 3600)
    assert send(service, "GET", "old/a").body == b"x"
    assert "expiry-date" in send(service, "HEAD", "old/a").headers["x-cos-restore"]
    assert send(service, "POST", "old/a", params={"restore": ""}, body=restore(2)).status == 200
    service.clock.advance(3 * DAY_S)
    assert error_code(send(service, "GET", "old/a")) == "InvalidObjectState"


def restore(days: int) -> bytes:
    return f"<RestoreRequest><Days>{days}</Days></RestoreRequest>".encode()


def test_versions_and_uploads(service: CosService):
    """Expiry puts a marker where versions are kept; old versions and unfinished uploads have rules of their own."""
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    send(service, "PUT", params={"versioning": ""}, body=body)
    first = send(service, "PUT", "old/a", body=b"1").headers["x-cos-version-id"]
    send(service, "PUT", "old/a", body=b"2")
    send(service, "POST", "old/big", params={"uploads": ""})
    set_rule(
        service,
        "<Expiration><Days>1</Days></Expiration>"
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    )
    service.clock.advance(2 * DAY_S)
    hidden = send(service, "GET", "old/a")
    assert (hidden.status, hidden.headers["x-cos-delete-marker"]) == (404, "true")
    assert error_code(send(service, "GET", "old/a", params={"versionId": first})) == "NoSuchVersion"
    assert b"<Upload>" not in send(service, "GET", params={"uploads": ""}).body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingRequestBodyError"),
        (b"<LifecycleConfiguration/>", "MalformedXML"),
        (b"<LifecycleConfiguration><Rule><Status>On</Status></Rule></LifecycleConfiguration>", "MalformedXML"),
        (
            b"<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Days>x</Days></Expiration></Rule></LifecycleConfiguration>",
            "InvalidArgument",
        ),
    ],
)
def test_refusals(service: CosService, body: bytes, code: str):
    """A configuration that cannot be used is refused, and the old one stays."""
    set_rule(service, "<Expiration><Days>1</Days></Expiration>")
    answer = send(service, "PUT", params={"lifecycle": ""}, body=body)
    assert (answer.status, error_code(answer)) == (400, code)
    assert b"<Days>1</Days>" in send(service, "GET", params={"lifecycle": ""}).body
