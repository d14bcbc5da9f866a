"""The vendor's own clients, unmodified, against a running localcloud; they fail with the cloud's codes.

tencentcloud-sdk-python-ses 3.1.135, cos-python-sdk-v5 1.9.44.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests
from qcloud_cos import CosConfig, CosS3Client, CosServiceError
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ses.v20201002 import models, ses_client

from localcloud import defaults
from localcloud.server import LocalServer
from shared.trail.records import day_of

ROOT = Path(__file__).parents[2]
UTC8 = 8 * 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(0, tmp_path_factory.mktemp("data"), ROOT) as running:
        yield running


def ses(server, key=defaults.SECRET_KEY):
    profile = HttpProfile(protocol="http", endpoint=f"127.0.0.1:{server.ports.ses}")
    who = credential.Credential(defaults.SECRET_ID, key)
    return ses_client.SesClient(who, defaults.REGION, ClientProfile(httpProfile=profile))


def cos(server, key=defaults.SECRET_KEY):
    config = CosConfig(
        Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=key, Scheme="http",
        IP="127.0.0.1", Port=server.ports.cos,
    )  # fmt: skip
    return CosS3Client(config, retry=0)


def send_request(to, **more):
    request = models.SendEmailRequest()
    template = {"TemplateID": 100091, "TemplateData": '{"code":"1234"}'}
    body = {"FromEmailAddress": f"Acme <noreply@{defaults.SENDER_DOMAIN}>", "Subject": "Your code"}
    request.from_json_string(json.dumps({**body, "Destination": [to], "Template": template, **more}))
    return request


def test_the_ses_sdk_sends_and_reads_status_and_tasks_over_the_server_door(server):
    """SendEmail, BatchSendEmail, GetSendEmailStatus and ListSendTasks by the vendor's SDK."""
    client = ses(server)
    sent = client.SendEmail(send_request(f"open@{defaults.SIMULATOR_DOMAIN}"))
    assert sent.MessageId.startswith(f"qcloudses-30-{defaults.APP_ID}-date-")
    batch = models.BatchSendEmailRequest()
    task = {"FromEmailAddress": f"noreply@{defaults.SENDER_DOMAIN}", "ReceiverId": 123, "Subject": "News"}
    batch.from_json_string(
        json.dumps({**task, "TaskType": 1, "Template": {"TemplateID": 100091, "TemplateData": '{"code":"1"}'}})
    )
    task_id = client.BatchSendEmail(batch).TaskId
    requests.post(f"{server.url}/_local/clock", json={"advance_s": 10}, timeout=30).raise_for_status()

    query = models.GetSendEmailStatusRequest()
    day = day_of(server.cloud.clock.now(), UTC8)
    query.from_json_string(json.dumps({"RequestDate": day, "Offset": 0, "Limit": 100, "MessageId": sent.MessageId}))
    (row,) = client.GetSendEmailStatus(query).EmailStatusList
    assert (row.SendStatus, row.DeliverStatus, row.UserOpened) == (0, 1, True)
    tasks = models.ListSendTasksRequest()
    tasks.from_json_string('{"Offset": 0, "Limit": 10}')
    listed = client.ListSendTasks(tasks)
    assert [(one.TaskId, one.TaskStatus) for one in listed.Data] == [(task_id, 10)]


def test_a_wrong_key_fails_in_both_sdks_with_the_clouds_codes(server):
    """AuthFailure.SignatureFailure at SES, SignatureDoesNotMatch at COS."""
    with pytest.raises(TencentCloudSDKException) as refused:
        ses(server, key="wrong").SendEmail(send_request("a@example.com"))
    assert refused.value.get_code() == "AuthFailure.SignatureFailure"
    with pytest.raises(CosServiceError) as denied:
        cos(server, key="wrong").put_object(Bucket=defaults.BUCKET, Key="x", Body=b"x")
    assert (denied.value.get_status_code(), denied.value.get_error_code()) == (403, "SignatureDoesNotMatch")


def test_the_cos_sdk_reads_back_the_json_lines_that_the_webhook_wrote(server):
    """A mail through POST /send, its callback through POST /webhook, its events by cos-python-sdk-v5."""
    mail = {"from": f"noreply@{defaults.SENDER_DOMAIN}", "to": [f"click@{defaults.SIMULATOR_DOMAIN}"], "subject": "Hi"}
    body = {**mail, "template": {"id": 100091, "data": {"code": "1"}}, "metadata": {"order": "42"}}
    headers = {"Authorization": f"Bearer {defaults.SEND_KEY}"}
    answer = requests.post(f"{server.url}/send", json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    requests.post(f"{server.url}/_local/clock", json={"advance_s": 10}, timeout=30).raise_for_status()

    client = cos(server)
    listed = client.list_objects(Bucket=defaults.BUCKET, Prefix="events/")
    bodies = (client.get_object(Bucket=defaults.BUCKET, Key=item["Key"])["Body"] for item in listed["Contents"])
    lines = [json.loads(line) for body in bodies for line in body.get_raw_stream().read().splitlines()]
    events = [line for line in lines if line["message_id"] == answer.json()["message_id"]]
    assert {event["type"] for event in events} == {"delivered", "opened", "clicked"}
    assert all(event["verified"] and event["metadata"] == {"order": "42"} for event in events)
