"""The control plane's hostile part: storms, keys that expire, and switches for what differs between accounts.

``/_local/storm``, ``/_local/credentials``, ``/_local/switches``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.inputs import parse_credentials
from localcloud.problems import Invalid, Problem
from localcloud.storm_inputs import parse_page, parse_storm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.world import LocalCloud

    Query = Mapping[str, str]
    Operation = Callable[[Query, Any], Any]


class HostileControl:
    """Operations from the query and the parsed body to JSON; ``operations`` names them."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def operations(self) -> list[tuple[str, str, Operation]]:
        """Return (method, path under ``/_local``, operation)."""
        return [
            ("POST", "storm", self._start_storm),
            ("GET", "storm", self._get_storm),
            ("DELETE", "storm", self._stop_storm),
            ("GET", "storm/truth", self._storm_truth),
            ("POST", "credentials", self._rotate),
            ("GET", "credentials", lambda _query, _body: self._cloud.role.describe()),
            ("DELETE", "credentials", self._stop_rotating),
            ("GET", "switches", lambda _query, _body: self._switches()),
            ("POST", "switches", self._set_switches),
            ("DELETE", "switches", self._reset_switches),
        ]

    def _start_storm(self, _query: Query, body: Any) -> Any:
        return self._cloud.storms.start(parse_storm(body, self._cloud.clock.now())).progress()

    def _get_storm(self, _query: Query, _body: Any) -> Any:
        return self._cloud.storms.run().progress()

    def _stop_storm(self, _query: Query, _body: Any) -> Any:
        self._cloud.storms.stop()
        return self._cloud.storms.run().progress()

    def _storm_truth(self, query: Query, _body: Any) -> Any:
        offset, limit = parse_page(query)
        return [truth._asdict() for truth in self._cloud.storms.run().storm.truths(offset, limit)]

    def _rotate(self, _query: Query, body: Any) -> Any:
        self._cloud.role.rotate(parse_credentials(body))
        return self._cloud.role.describe()

    def _stop_rotating(self, _query: Query, _body: Any) -> Any:
        self._cloud.role.reset()
        return self._cloud.role.describe()

    def _switches(self) -> dict[str, Any]:
        return {"ses": self._cloud.ses.switches.describe(), "cos": self._cloud.cos.switches.describe()}

    def _set_switches(self, _query: Query, body: Any) -> Any:
        services: dict[str, Any] = {"ses": self._cloud.ses.switches, "cos": self._cloud.cos.switches}
        if not isinstance(body, dict) or not all(isinstance(value, dict) for value in body.values()):
            raise Invalid([Problem("", 'must be {"ses": {name: value}, "cos": {name: value}}')])
        problems = [Problem(name, f"must be one of {', '.join(services)}") for name in body if name not in services]
        before = {name: {one["name"]: one["value"] for one in told} for name, told in self._switches().items()}
        for name in services.keys() & body.keys():
            try:
                services[name].update(body[name])
            except ValueError as error:  # noqa: PERF203
                problems.append(Problem(name, str(error)))
        if problems:
            for name, switches in services.items():
                switches.update(before[name])
            raise Invalid(problems)
        return self._switches()

    def _reset_switches(self, _query: Query, _body: Any) -> Any:
        self._cloud.ses.switches.reset()
        self._cloud.cos.switches.reset()
        return self._switches()
