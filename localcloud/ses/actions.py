"""Which handler answers which action: all 36 of the vendor's SDK. A further one is a handler in its theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.ses import (
    bounce_list,
    custom_blacklist,
    identities,
    receiver_details,
    receivers,
    reports,
    sender_addresses,
    templates,
    unsubscribe_configs,
)
from localcloud.ses.account import Account
from localcloud.ses.params import Params
from localcloud.ses.send import send_email
from localcloud.ses.status import get_send_email_status
from localcloud.ses.tasks import batch_send_email, list_send_tasks

Handler = Callable[[Account, Params], dict[str, Any]]

ACTIONS: dict[str, Handler] = {
    "BatchSendEmail": batch_send_email,
    "CreateAddressUnsubscribeConfig": unsubscribe_configs.create_address_unsubscribe_config,
    "CreateCustomBlacklist": custom_blacklist.create_custom_blacklist,
    "CreateEmailAddress": sender_addresses.create_email_address,
    "CreateEmailIdentity": identities.create_email_identity,
    "CreateEmailTemplate": templates.create_email_template,
    "CreateReceiver": receivers.create_receiver,
    "CreateReceiverDetail": receiver_details.create_receiver_detail,
    "CreateReceiverDetailWithData": receiver_details.create_receiver_detail_with_data,
    "DeleteAddressUnsubscribeConfig": unsubscribe_configs.delete_address_unsubscribe_config,
    "DeleteBlackList": bounce_list.delete_black_list,
    "DeleteCustomBlackList": custom_blacklist.delete_custom_black_list,
    "DeleteEmailAddress": sender_addresses.delete_email_address,
    "DeleteEmailIdentity": identities.delete_email_identity,
    "DeleteEmailTemplate": templates.delete_email_template,
    "DeleteReceiver": receivers.delete_receiver,
    "GetAbuseReport": reports.get_abuse_report,
    "GetEmailIdentity": identities.get_email_identity,
    "GetEmailTemplate": templates.get_email_template,
    "GetSendEmailStatus": get_send_email_status,
    "GetStatisticsReport": reports.get_statistics_report,
    "ListAddressUnsubscribeConfig": unsubscribe_configs.list_address_unsubscribe_config,
    "ListBlackEmailAddress": bounce_list.list_black_email_address,
    "ListCustomBlacklist": custom_blacklist.list_custom_blacklist,
    "ListEmailAddress": sender_addresses.list_email_address,
    "ListEmailIdentities": identities.list_email_identities,
    "ListEmailTemplates": templates.list_email_templates,
    "ListReceiverDetails": receiver_details.list_receiver_details,
    "ListReceivers": receivers.list_receivers,
    "ListSendTasks": list_send_tasks,
    "SendEmail": send_email,
    "UpdateAddressUnsubscribeConfig": unsubscribe_configs.update_address_unsubscribe_config,
    "UpdateCustomBlackList": custom_blacklist.update_custom_black_list,
    "UpdateEmailIdentity": identities.update_email_identity,
    "UpdateEmailSmtpPassWord": sender_addresses.update_email_smtp_password,
    "UpdateEmailTemplate": templates.update_email_template,
}
