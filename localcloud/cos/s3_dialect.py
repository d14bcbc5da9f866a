"""The S3-compatible API of the same buckets: an S3 request becomes one of COS, and its answer one of S3.

What has no counterpart in COS keeps its COS name. ``If-None-Match: *`` on a write: whether COS honours it is not
documented, so it is refused with 501 unless the switch ``s3_if_none_match`` says otherwise; a test that relies on it
must say so.

Source: https://cloud.tencent.com/document/product/436/37421 (S3 SDKs on COS).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.cos import s3_payload, s3_signature
from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState
    from localcloud.exchange import Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ROOT = re.compile(rb"(<\?xml[^>]*\?>\s*)<(\w+)>")
_DIRECTIVES = {"COPY": "Copy", "REPLACE": "Replaced"}
_S3_NAMES = re.compile(
    r"x-cos-(meta-.*|version-id|delete-marker|server-side-encryption.*|storage-class|restore|tagging-count"
    r"|copy-source-version-id|bucket-region)",
    re.IGNORECASE,
)


def is_s3(call: Call) -> bool:
    """Whether a request is signed as S3 clients sign."""
    authorization = call.request.headers.get("authorization", "")
    return authorization.startswith(s3_signature.ALGORITHM) or s3_signature.is_presigned(call)


def answer(cos: CosState, call: Call, keys: Mapping[str, str], perform: Callable[[Call], Response]) -> Response:
    """Verify an S3 request, have COS ``perform`` it, and answer as S3 does.

    Raises CosError of the signature, of the body, and of whatever is performed.
    """
    verified = s3_signature.verify(call, keys, cos.clock)
    payload = s3_payload.decode(call, verified)
    wants_new = _wants_new(cos, call)
    headers = _translated(call.request.headers, length=len(payload.body))
    if wants_new:
        headers["x-cos-forbid-overwrite"] = "true"
    request = replace(call.request, headers=headers, body=payload.body)
    known = call._replace(request=request, dialect="s3", is_digest_known=payload.is_digest_known)
    try:
        return _as_s3(perform(known))
    except CosError as error:
        if wants_new and error.code == "FileAlreadyExists":
            raise CosError("PreconditionFailed") from error
        raise


def _wants_new(cos: CosState, call: Call) -> bool:
    headers = call.request.headers
    if call.request.method not in ("PUT", "POST") or not call.key:
        return False
    if "if-match" in headers or "if-none-match" in headers:
        if headers.get("if-none-match") == "*" and cos.switches.s3_if_none_match:
            return True
        raise CosError("NotImplemented", "Whether COS honours conditions on S3 writes is not documented.")
    return False


def _translated(headers: Mapping[str, str], *, length: int) -> dict[str, str]:
    found = {re.sub("^x-amz-", "x-cos-", name): value for name, value in headers.items()}
    encodings = [one.strip() for one in found.pop("content-encoding", "").split(",")]
    kept = ", ".join(one for one in encodings if one and one != "aws-chunked")
    for name in ("x-cos-metadata-directive", "x-cos-tagging-directive"):
        if name in found:
            found[name] = _DIRECTIVES.get(found[name].upper(), found[name])
    if found.get("x-cos-server-side-encryption") == "aws:kms":
        found["x-cos-server-side-encryption"] = "cos/kms"
    if "content-length" in found:
        found["content-length"] = str(length)
    return found | ({"content-encoding": kept} if kept else {})


def _as_s3(response: Response) -> Response:
    response.headers = {_S3_NAMES.sub(r"x-amz-\1", name): value for name, value in response.headers.items()}
    if response.headers.get("Content-Type") == "application/xml":
        response.body = _ROOT.sub(rb'\1<\2 xmlns="' + NAMESPACE.encode() + rb'">', response.body, count=1)
        response.headers.pop("Content-Length", None)
    return response
