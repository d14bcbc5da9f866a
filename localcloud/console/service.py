"""The console's endpoints (docs/localcloud-console.md), for the control plane to route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from localcloud.console import assets
from localcloud.console.archive import Archive
from localcloud.console.inputs import parse_count, parse_event
from localcloud.console.mails import Mails
from localcloud.console.stream import Stream
from localcloud.console.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from localcloud.exchange import Response
    from localcloud.world import LocalCloud

    Query = Mapping[str, str]
    Operation = Callable[[Query, Any], Any]
    Document = Callable[[Query, Mapping[str, str]], Response]

BROWSE_DEFAULT, BROWSE_MAX = 200, 1000
LINES_DEFAULT, LINES_MAX = 200, 2000
FALLBACK_MAILS = 50
"""Shown to browsers without script."""


class Console:
    """``operations`` answer JSON, ``documents`` anything else; both run in the control plane's pool."""

    def __init__(self, cloud: LocalCloud, pool: Executor, timers: list[dict[str, Any]]) -> None:
        self._cloud = cloud
        self._timers = timers
        self._archive = Archive(cloud.data / "ses.sqlite3")
        self._mails = Mails(cloud, self._archive)
        self._tree = Tree(cloud.cos.store)
        self._stream = Stream(cloud, self._archive, pool)

    def operations(self) -> list[tuple[str, str, Operation]]:
        """Return (method, path under ``/_local``, operation from query and body to JSON)."""
        return [
            ("GET", "mails", lambda query, _: self._mails.page(query)),
            ("GET", "mails/{message_id}", lambda query, _: self._mails.one(query)),
            ("POST", "events", lambda _, body: self._simulate(body)),
            ("GET", "bucket", lambda query, _: self._browse(query)),
            ("GET", "bucket/lines", lambda query, _: self._lines(query)),
            ("GET", "timers", lambda _query, _body: self._timers),
        ]

    def documents(self) -> list[tuple[str, Document]]:
        """Return (path, what answers the query and the request's headers)."""
        return [
            ("/", lambda _query, _headers: self._index()),
            ("/_local/console/{name}", lambda query, headers: assets.asset(query["name"], headers)),
            ("/_local/mails/{message_id}/html", lambda query, _: self._mails.html(query)),
            ("/_local/mails/{message_id}/source", lambda query, _: self._mails.source(query)),
            ("/_local/mails/{message_id}/request", lambda query, _: self._mails.request(query)),
            ("/_local/mails/{message_id}/attachments/{number}", lambda query, _: self._mails.attachment(query)),
            ("/_local/bucket/object", lambda query, _: self._download(query)),
            ("/_local/bucket/page", lambda query, _: assets.framed(self._read(query))),
        ]

    def stream_route(self) -> Route:
        """Return the route of the stream of changes."""
        return Route("/_local/stream", self._stream.endpoint, methods=["GET"])

    def end_streams(self) -> None:
        """Let open pages go."""
        self._stream.end()

    def close(self) -> None:
        """Close what was opened for reading."""
        self._stream.close()
        self._archive.close()

    def _index(self) -> Response:
        names = [str(timer["name"]) for timer in self._timers]
        latest, _ = self._archive.page([], None, FALLBACK_MAILS)
        return assets.index(latest, self._cloud.clock.now(), names)

    def _simulate(self, body: Any) -> Any:
        event = parse_event(body)
        self._cloud.ses.provoke(**event._asdict())
        # What it leads to has happened by the time we answer, the webhook's answer included.
        self._cloud.pump_until_idle()
        return self._mails.one({"message_id": event.message_id})

    def _browse(self, query: Query) -> Any:
        limit = parse_count(query, "limit", default=BROWSE_DEFAULT, most=BROWSE_MAX)
        return self._tree.browse(query.get("bucket", ""), query.get("prefix", ""), query.get("after", ""), limit)

    def _lines(self, query: Query) -> Any:
        offset = parse_count(query, "offset", default=0, most=2**53, least=0)
        limit = parse_count(query, "limit", default=LINES_DEFAULT, most=LINES_MAX)
        return self._tree.lines(query.get("bucket", ""), query.get("key", ""), offset, limit)

    def _download(self, query: Query) -> Response:
        return assets.download(self._read(query), query.get("key", "").rpartition("/")[2])

    def _read(self, query: Query) -> bytes:
        return self._tree.read(query.get("bucket", ""), query.get("key", "")).content
