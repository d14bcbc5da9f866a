"""The answers COS gives when it refuses, as one table, and the exception that carries one of them.

    CosError
        code      the vendor's word, what clients branch on
        status    the HTTP status of the table below
        message   for people
        details   further elements of the XML body (StringToSign and the like)
        headers   further headers of the answer (Content-Range of a 416)

Source of codes and statuses: https://cloud.tencent.com/document/product/436/7730. Messages are not documented as a
contract; clients that branch on them are wrong on the real service too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ERRORS: dict[str, tuple[int, str]] = {
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size."),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size."),
    "ExpiredToken": (400, "The provided token has expired."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length header."),
    "InvalidArgument": (400, "Invalid argument."),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidCopySource": (400, "The specified copy source is not valid."),
    "InvalidDelimiter": (400, "The delimiter must be one character."),
    "InvalidDigest": (400, "The Content-MD5 you specified is not valid."),
    "InvalidPart": (400, "One or more of the specified parts could not be found, or its ETag did not match."),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order."),
    "InvalidRequest": (400, "Invalid request."),
    "InvalidTag": (400, "The tag is not valid."),
    "KeyTooLong": (400, "Your key is too long."),
    "MalformedPolicy": (400, "The policy is not valid JSON."),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our schema."),
    "MissingRequestBodyError": (400, "Request body is empty."),
    "OAZOperationNotSupportOnMAZBucket": (400, "This operation is not supported on a multi-AZ bucket."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    "AccessDenied": (403, "Access Denied."),
    "InvalidAccessKeyId": (403, "The access key Id you provided does not exist in our records."),
    "InvalidObjectState": (403, "The object is archived and was not restored."),
    "PathStyleDomainForbidden": (
        403,
        "The bucket you are attempting to access must be addressed using COS virtual-styled domain.",
    ),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "SignatureDoesNotMatch": (403, "The Signature you specified is invalid."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist."),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist."),
    "NoSuchEncryptionConfiguration": (404, "The encryption configuration does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist."),
    "NoSuchTagSet": (404, "The TagSet does not exist."),
    "NoSuchUpload": (404, "The specified multipart upload does not exist."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "AppendPositionErr": (409, "Position not equal object length"),
    "BucketAlreadyExists": (409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": (409, "The bucket you tried to create already exists, and you own it."),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty."),
    "FileAlreadyExists": (409, "The file already exists."),
    "ObjectNotAppendable": (409, "The object is not appendable."),
    "PathConflict": (409, "Concurrent writes of the same object conflict."),
    "RestoreAlreadyInProgress": (409, "The object is being restored already."),
    "PreconditionFailed": (412, "At least one of the preconditions you specified did not hold."),
    "InvalidRange": (416, "The requested range cannot be satisfied."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "NotImplemented": (501, "A header or query you provided implies functionality that is not implemented."),
    "ServiceUnavailable": (503, "The service is unavailable. Please try again."),
    "SlowDown": (503, "Please reduce your request rate."),
}


class CosError(Exception):
    """One refusal. ``code`` need not be in the table (fault rules may ask for any); then ``status`` must be given."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int = 0,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        table_status, table_message = ERRORS.get(code, (status or 400, code))
        self.code = code
        self.status = status or table_status
        self.message = message or table_message
        self.details = dict(details or {})
        self.headers = dict(headers or {})
        super().__init__(f"{self.status} {code}: {self.message}")
