"""The control plane's hostile part: storms (``/_local/storm``) and keys that expire (``/_local/credentials``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.inputs import parse_credentials
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
