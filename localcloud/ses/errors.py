"""The one exception by which a handler refuses, and what SES says with each code.

Codes and texts: https://www.tencentcloud.com/document/api/1084/39502 (SendEmail and its neighbours),
https://tencentcloud.com/document/product/1140/51177 (every action), and errorcodes.py of tencentcloud-sdk-python-ses.
An unknown code still gets a text.
"""

from __future__ import annotations

MESSAGES = {
    "AuthFailure.InvalidAuthorization": "The `Authorization` in the request header is not well formed.",
    "AuthFailure.SecretIdNotFound": "The SecretId is not found, please ensure that your SecretId is correct.",
    "AuthFailure.SignatureExpire": "Signature expired: the timestamp differs from the server's by over 5 minutes.",
    "AuthFailure.SignatureFailure": "The provided credentials could not be validated. Please check your signature.",
    "AuthFailure.TokenFailure": "The token is invalid or has expired.",
    "FailedOperation.AttachContentToolarge": "The attachments are too large.",
    "FailedOperation.EmailAddrInBlacklist": "The recipient address is in the blocklist.",
    "FailedOperation.EmailContentToolarge": "The email is too large. Remove some content.",
    "FailedOperation.ExceedSendLimit": "The daily sending limit is exceeded.",
    "FailedOperation.ExceedTemplateLimit": "The maximum number of templates is exceeded.",
    "FailedOperation.FileURLNotExist": "URL is unavailable or not found.",
    "FailedOperation.FrequencyLimit": "You have sent too many emails to the same address in a short period.",
    "FailedOperation.HighRejectionRate": "Temporarily blocked because the rejection rate is too high.",
    "FailedOperation.IncorrectEmail": "Incorrect email address.",
    "FailedOperation.IncorrectSender": "Incorrect sender format. Use: alias, one space, <address>; no colon.",
    "FailedOperation.InvalidAttachName": "Unsupported attachment name.",
    "FailedOperation.InvalidLimit": "Reached the query limit (100).",
    "FailedOperation.InvalidTemplateID": "Invalid template ID or unavailable template.",
    "FailedOperation.MissingEmailContent": "Missing email content (TemplateData and Simple cannot be both empty).",
    "FailedOperation.NotAuthenticatedSender": "Unable to send because the sender is not verified.",
    "FailedOperation.NotSupportDate": "You cannot query email records for this date.",
    "FailedOperation.ReceiverHasUnsubscribed": "The recipient has unsubscribed.",
    "FailedOperation.TemplateContentToolarge": "The template content is too large. Remove some content.",
    "FailedOperation.TooManyAttachments": "Too many attachments. A single email supports up to 10 attachments.",
    "FailedOperation.TooManyRecipients": "Too many recipients. Set a maximum of 50 recipients at a time.",
    "FailedOperation.WithOutPermission": "You can only send emails by using a template.",
    "FailedOperation.WrongContentJson": "The format of the TemplateData field is incorrect. It must be JSON.",
    "InternalError": "An internal error has occurred. Retry your request.",
    "InvalidAction": "The request contains an invalid API action.",
    "InvalidParameter": "Incorrect parameter.",
    "InvalidParameter.InvalidEndTimeFormat": "Incorrect format of the end time.",
    "InvalidParameter.InvalidStartTimeFormat": "Incorrect format of the start time.",
    "InvalidParameterValue": "Invalid parameter value.",
    "InvalidParameterValue.AttachContentIsWrong": "Incorrect attachment content. Make sure the base64 is correct.",
    "InvalidParameterValue.BeginTimeBeforeNow": "The start time cannot be earlier than the current time.",
    "InvalidParameterValue.EmailAddressIsNULL": "The recipient or sender address is empty. Please check.",
    "InvalidParameterValue.EmailContentIsWrong": "Incorrect email content. Make sure TEXT/HTML base64 is correct.",
    "InvalidParameterValue.IllegalEmailAddress": "Invalid email address. Check its format.",
    "InvalidParameterValue.IllegalSenderName": "Incorrect sender alias.",
    "InvalidParameterValue.InValidTemplateData": "Template parameters cannot contain HTML tags.",
    "InvalidParameterValue.InvalidEmailIdentity": "Incorrect domain.",
    "InvalidParameterValue.InvalidSmtpPassWord": "10-20 characters, 2 different digits, small and capital letters.",
    "InvalidParameterValue.NoSuchSender": "You do not have this sender address.",
    "InvalidParameterValue.NotExistDomain": "The domain does not exist. Create it first.",
    "InvalidParameterValue.ReceiverDescIllegal": "1-300 characters are allowed, no special ones.",
    "InvalidParameterValue.ReceiverEmailInvalid": "The recipient address is incorrect.",
    "InvalidParameterValue.ReceiverNameIllegal": "The name of the list is not valid.",
    "InvalidParameterValue.RepeatCreation": "This has been created already.",
    "InvalidParameterValue.RepeatEmailAddress": "The same address is given twice.",
    "InvalidParameterValue.RepeatReceiverName": "The name of the list is taken.",
    "InvalidParameterValue.SubjectLengthError": "The length of the subject is not allowed.",
    "InvalidParameterValue.TemplateContentIsNULL": "The template content is empty.",
    "InvalidParameterValue.TemplateContentIsWrong": "Incorrect template content. Make sure the base64 is correct.",
    "InvalidParameterValue.TemplateDataError": "The template parameters must be JSON.",
    "InvalidParameterValue.TemplateDataInconsistent": "The names of the parameters differ from the ones before.",
    "InvalidParameterValue.TemplateDataLenLimit": "The template parameters of a recipient exceed 800 bytes.",
    "InvalidParameterValue.TemplateNameIllegal": "The template name is not valid. Check its characters and length.",
    "InvalidParameterValue.TemplateNameIsNULL": "The template name cannot be empty.",
    "InvalidParameterValue.TemplateNotExist": "The template does not exist. Create it first.",
    "InvalidParameterValue.TemplateNotMatchData": "The template variables do not match the parameters.",
    "InvalidParameterValue.WrongDate": "Incorrect search date. Make sure the date and its format are valid.",
    "LimitExceeded": "The quota is exceeded.",
    "LimitExceeded.ExceedReceiverLimit": "There are too many recipient lists.",
    "LimitExceeded.ReceiverDetailCountLimit": "The list has too many recipients.",
    "LimitExceeded.ReceiverDetailRequestLimit": "There are too many recipients in the request.",
    "MissingParameter": "The request is missing a required parameter.",
    "MissingParameter.CycleParamNecessary": "A recurring task needs a start time and an interval.",
    "MissingParameter.EmailsNecessary": "Recipient addresses are required.",
    "MissingParameter.ReceiverIdNecessary": "The recipient list ID is required.",
    "MissingParameter.TimedParamNecessary": "A scheduled task needs a start time.",
    "NoSuchVersion": "The API version does not exist.",
    "OperationDenied.DomainNotVerified": "The domain is not verified.",
    "OperationDenied.ExceedDomainLimit": "There are too many sending domains.",
    "OperationDenied.ExceedSenderLimit": "There are too many sender addresses.",
    "OperationDenied.ReceiverIsOperating": "The recipient list is being uploaded. Try again later.",
    "OperationDenied.ReceiverNotExist": "The recipient list does not exist.",
    "OperationDenied.ReceiverStatusError": "The recipient list is empty or its upload is not finished.",
    "OperationDenied.RepeatPassWord": "The password must differ from the last one.",
    "OperationDenied.SenderWithDomainIsNotEmpty": "The domain still has sender addresses.",
    "OperationDenied.TemplateStatusError": "The template does not exist or is not approved.",
    "RequestLimitExceeded": "The number of requests exceeds the frequency limit.",
    "RequestSizeLimitExceeded": "The request size exceeds the limit.",
    "ResourceNotFound": "The resource does not exist.",
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
