"""The one exception by which a handler refuses, and what SES says with each code.

Codes and texts: https://www.tencentcloud.com/document/api/1084/39502 (SendEmail and its neighbours) and
https://tencentcloud.com/document/product/1140/51177 (every action). An unknown code still gets a text.
"""

from __future__ import annotations

MESSAGES = {
    "AuthFailure.InvalidAuthorization": "The `Authorization` in the request header is not well formed.",
    "AuthFailure.SecretIdNotFound": "The SecretId is not found, please ensure that your SecretId is correct.",
    "AuthFailure.SignatureExpire": "Signature expired: the timestamp differs from the server's by over 5 minutes.",
    "AuthFailure.SignatureFailure": "The provided credentials could not be validated. Please check your signature.",
    "AuthFailure.TokenFailure": "The token is invalid or has expired.",
    "FailedOperation.AttachContentToolarge": "The attachments are too large.",
    "FailedOperation.EmailContentToolarge": "The email is too large. Remove some content.",
    "FailedOperation.FileURLNotExist": "URL is unavailable or not found.",
    "FailedOperation.FrequencyLimit": "You have sent too many emails to the same address in a short period.",
    "FailedOperation.IncorrectEmail": "Incorrect email address.",
    "FailedOperation.IncorrectSender": "Incorrect sender format. Use: alias, one space, <address>; no colon.",
    "FailedOperation.InvalidAttachName": "Unsupported attachment name.",
    "FailedOperation.InvalidLimit": "Reached the query limit (100).",
    "FailedOperation.InvalidTemplateID": "Invalid template ID or unavailable template.",
    "FailedOperation.MissingEmailContent": "Missing email content (TemplateData and Simple cannot be both empty).",
    "FailedOperation.NotAuthenticatedSender": "Unable to send because the sender is not verified.",
    "FailedOperation.NotSupportDate": "You cannot query email records for this date.",
    "FailedOperation.TooManyAttachments": "Too many attachments. A single email supports up to 10 attachments.",
    "FailedOperation.TooManyRecipients": "Too many recipients. Set a maximum of 50 recipients at a time.",
    "FailedOperation.WithOutPermission": "You can only send emails by using a template.",
    "FailedOperation.WrongContentJson": "The format of the TemplateData field is incorrect. It must be JSON.",
    "InternalError": "An internal error has occurred. Retry your request.",
    "InvalidAction": "The request contains an invalid API action.",
    "InvalidParameter": "Incorrect parameter.",
    "InvalidParameterValue": "Invalid parameter value.",
    "InvalidParameterValue.AttachContentIsWrong": "Incorrect attachment content. Make sure the base64 is correct.",
    "InvalidParameterValue.BeginTimeBeforeNow": "The start time cannot be earlier than the current time.",
    "InvalidParameterValue.EmailAddressIsNULL": "The recipient or sender address is empty. Please check.",
    "InvalidParameterValue.EmailContentIsWrong": "Incorrect email content. Make sure TEXT/HTML base64 is correct.",
    "InvalidParameterValue.InValidTemplateData": "Template parameters cannot contain HTML tags.",
    "InvalidParameterValue.ReceiverEmailInvalid": "The recipient address is incorrect.",
    "InvalidParameterValue.RepeatEmailAddress": "The same address is given twice.",
    "InvalidParameterValue.SubjectLengthError": "The length of the subject is not allowed.",
    "InvalidParameterValue.TemplateNotMatchData": "The template variables do not match the parameters.",
    "InvalidParameterValue.WrongDate": "Incorrect search date. Make sure the date and its format are valid.",
    "MissingParameter": "The request is missing a required parameter.",
    "MissingParameter.CycleParamNecessary": "A recurring task needs a start time and an interval.",
    "MissingParameter.TimedParamNecessary": "A scheduled task needs a start time.",
    "NoSuchVersion": "The API version does not exist.",
    "OperationDenied.ReceiverNotExist": "The recipient list does not exist.",
    "OperationDenied.ReceiverStatusError": "The recipient list is empty or its upload is not finished.",
    "RequestLimitExceeded": "The number of requests exceeds the frequency limit.",
    "RequestSizeLimitExceeded": "The request size exceeds the limit.",
    "UnknownParameter": "The request uses an unknown parameter.",
    "UnsupportedOperation": "Unsupported operation.",
    "UnsupportedProtocol": "HTTP(S) request protocol error; only GET and POST requests to / are supported.",
    "UnsupportedRegion": "The region is not supported by this API.",
}


class ApiError(Exception):
    """SES refuses: ``code`` as documented; ``detail`` is said after the code's own text."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.message = f"{message_for(code)} {detail}".strip()
        super().__init__(f"{code}: {self.message}")


def message_for(code: str) -> str:
    """Return the English text that goes with ``code``."""
    return MESSAGES.get(code, "The operation failed.")
