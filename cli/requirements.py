"""What is deployed with a function: the pins of pyproject.toml, and what they bring.

The versions of what the pins bring are those of the environment that runs us: what was tested is what is shipped.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser, under the name it had before 3.11
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NOT_SHIPPED: Mapping[str, str] = {
    "pycryptodome": "11 MB that only CosEncryptionClient imports; `import qcloud_cos` works without",
}
"""Distribution name -> why it stays at home although something deployed requires it. What we ask for ourselves goes."""

TARGET_MARKERS = {
    "python_version": "3.10",
    "python_full_version": "3.10.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
}
"""The environment in which markers such as ``; python_version < "3.11"`` are judged: SCF's, not ours."""


class PackageError(Exception):
    """A package cannot be built; the message says what is missing and what to do."""


class Pin(NamedTuple):
    """One distribution to ship: its normalised name and exact version."""

    name: str
    version: str


def read_extras(pyproject: Path) -> dict[str, list[Requirement]]:
    """Return the requirements by extra; the unconditional ones under ``""``."""
    with pyproject.open("rb") as file:
        project = tomllib.load(file)["project"]
    lines = {"": project.get("dependencies", []), **project.get("optional-dependencies", {})}
    return {extra: [Requirement(line) for line in requirements] for extra, requirements in lines.items()}


def closure(requirements: Iterable[Requirement]) -> list[Pin]:
    """Return every distribution that ``requirements`` need on the target, sorted by name.

    NOT_SHIPPED is left out where others require it, not where ``requirements`` themselves name it.

    Raises PackageError for one that is not installed here, or is installed in a version the requirement excludes.
    """
    found: dict[str, Pin] = {}
    waiting = list(requirements)
    left_out = NOT_SHIPPED.keys() - {canonicalize_name(requirement.name) for requirement in waiting}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in left_out or name in found or not _applies(requirement):
            continue
        distribution = _installed(name, requirement)
        found[name] = Pin(name, distribution.version)
        waiting += [Requirement(line) for line in distribution.requires or ()]
    return sorted(found.values())


def _applies(requirement: Requirement) -> bool:
    markers = {**TARGET_MARKERS, "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(markers)


def _installed(name: str, requirement: Requirement) -> metadata.Distribution:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise PackageError(f"{requirement} is to be deployed but is not installed here: run `make`") from error
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        raise PackageError(f"{requirement} is to be deployed but {distribution.version} is installed: run `make`")
    return distribution
