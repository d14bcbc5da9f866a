"""The local COS: one request in, one answer out."""

from __future__ import annotations

import base64
import itertools
import secrets
from email.utils import formatdate
from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos import s3_dialect
from localcloud.cos.access import is_public
from localcloud.cos.address import resolve
from localcloud.cos.auth import is_signed, verify
from localcloud.cos.documents import document, element
from localcloud.cos.errors import CosError
from localcloud.cos.expiry import midnight_before, sweep
from localcloud.cos.pressure import Pressure
from localcloud.cos.routes import route_for
from localcloud.cos.state import CosState
from localcloud.cos.store import Store
from localcloud.cos.tokens import IssuedKeys, check_token
from localcloud.credentials import Credentials
from localcloud.defaults import APP_ID, BUCKET, REGION
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from localcloud.clock import Clock
    from localcloud.cos.address import Call
    from localcloud.exchange import Request


class _Ids(NamedTuple):
    request_id: str
    trace_id: str


class CosService(CosState):
    """COS on a laptop: buckets, objects, versions, append, multipart, LIST, in COS's own dialect and in S3's.

    ``data``: folder under which everything lies in ``cos/``; its state survives a restart. One process at a time.
    ``keys``: secret id -> secret key; ``credentials``: a registry shared with other services, instead.
    ``buckets``: those that exist from the start and after a reset.
    ``switches``: what can be turned on while it runs, see localcloud.cos.switches.

    Header names of an answer are written as the real service writes them ("ETag", "x-cos-request-id"): the vendor's SDK
    looks them up case-sensitively, so doors must not change their case.
    """

    name = "cos"

    def __init__(
        self,
        data: Path,
        clock: Clock,
        *,
        keys: Mapping[str, str],
        credentials: Credentials | None = None,
        app_id: str = APP_ID,
        region: str = REGION,
        buckets: Sequence[str] = (BUCKET,),
    ) -> None:
        super().__init__(Store(data / "cos"), clock, app_id=app_id, region=region)
        self._credentials = credentials or Credentials(keys, clock)
        self._keys = IssuedKeys(self._credentials)
        self._born_with = tuple(buckets)
        self._pressure = Pressure(self.switches)
        self._swept_at = 0.0
        self._serial = itertools.count(1)
        self._create_buckets()

    def _create_buckets(self) -> None:
        with self.store.lock:
            for name in self._born_with:
                self.store.index.add_bucket(name, self.clock.now())

    def dispatch(self, request: Request) -> Response:
        """Answer one request. Thread-safe; what a client did wrong is answered, never raised."""
        call = resolve(request)
        try:
            response = self._answer(call)
        except CosError as error:
            return self._refuse(call, error)
        return self._finish(call, response, self._new_ids())

    def _answer(self, call: Call) -> Response:
        self._carry_out_lifecycle()
        if call.is_path_style and self.switches.forbid_path_style:
            raise CosError("PathStyleDomainForbidden")
        if s3_dialect.is_s3(call):
            return s3_dialect.answer(self, call, self._keys, self._perform)
        if is_signed(call) or not is_public(self, call, self.action_of(call.request)):
            verify(call, self._keys, self.clock)
        return self._perform(call)

    def _perform(self, call: Call) -> Response:
        check_token(call, self._credentials)
        route = route_for(call)
        self._pressure.admit(call)
        return route.handler(self, call)

    def _carry_out_lifecycle(self) -> None:
        midnight = midnight_before(self.clock.now())
        if midnight != self._swept_at:
            self._swept_at = midnight
            sweep(self)

    def action_of(self, request: Request) -> str:
        """Name the action as CAM does: PutObject, GetBucket, AppendObject. "Unknown" for what has no handler."""
        try:
            return route_for(resolve(request)).action
        except CosError:
            return "Unknown"

    def error_response(self, request: Request, code: str, status: int) -> Response:
        """Answer ``code`` with ``status`` in COS's own shape, as the fault injector wants it."""
        return self._refuse(resolve(request), CosError(code, status=status))

    def reset(self) -> None:
        """Empty everything and recreate the buckets of the start; every switch is as it was at first."""
        with self.store.lock:
            self.switches.reset()
            self.store.clear()
            self.departed.clear()
            self._create_buckets()

    def close(self) -> None:
        """Close the index; nothing is answered afterwards."""
        self.store.close()

    def _refuse(self, call: Call, error: CosError) -> Response:
        ids = self._new_ids()
        if call.request.method == "HEAD":  # the code stays unknown to who asked: there is no body to carry it
            return self._finish(call, Response(error.status, dict(error.headers)), ids)
        body = document(
            "Error",
            element("Code", error.code),
            element("Message", error.message),
            *(element(name, text) for name, text in error.details.items()),
            element("Resource", call.resource),
            element("RequestId", ids.request_id),
            element("TraceId", ids.trace_id),
        )
        headers = {"Content-Type": "application/xml"} | error.headers
        return self._finish(call, Response(error.status, headers, body), ids)

    def _finish(self, call: Call, response: Response, ids: _Ids) -> Response:
        response.headers |= {
            "Date": formatdate(self.clock.now(), usegmt=True),
            "Server": "tencent-cos",
            "x-cos-request-id": ids.request_id,
            "x-cos-trace-id": ids.trace_id,
        }
        if call.request.headers.get("connection", "").lower() == "close":
            response.headers["Connection"] = "close"
        if s3_dialect.is_s3(call):
            response.headers |= {"x-amz-request-id": ids.request_id, "x-amz-id-2": ids.trace_id}
        if response.status not in (204, 304):
            response.headers.setdefault("Content-Length", str(len(response.body)))
        return response

    def _new_ids(self) -> _Ids:
        """Ids of the shape of the real ones: base64 of hexadecimal time, host, process and serial number."""
        request_id = f"{int(self.clock.now()):x}_{secrets.token_hex(4)}_1a2b_{next(self._serial):x}"
        return _Ids(base64.b64encode(request_id.encode()).decode(), base64.b64encode(secrets.token_bytes(48)).decode())
