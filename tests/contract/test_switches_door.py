"""`/_local/switches`: what differs between accounts, set from outside."""

from __future__ import annotations

import pytest
import requests

from localcloud.server import LocalServer


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with LocalServer(0, tmp_path_factory.mktemp("data")) as server:
        yield f"{server.url}/_local/switches"


def values(url):
    told = requests.get(url, timeout=10).json()
    return {service: {one["name"]: one["value"] for one in described} for service, described in told.items()}


def test_switches_of_both_services_are_described_set_and_put_back(url):
    """Limits of rate are what a load test lifts; the lag of LIST is what a reader must survive."""
    before = values(url)
    assert before["ses"]["requests_per_s"] == 20
    answer = requests.post(url, json={"ses": {"requests_per_s": 0}, "cos": {"list_lag_s": 2}}, timeout=10)
    assert answer.status_code == 200
    assert (values(url)["ses"]["requests_per_s"], values(url)["cos"]["list_lag_s"]) == (0, 2)
    requests.delete(url, timeout=10)
    assert values(url) == before


@pytest.mark.parametrize("body", [{"ses": {"requests_per_s": "many"}}, {"sms": {}}, ["ses"], {"cos": {"unknown": 1}}])
def test_a_wrong_one_is_named_and_sets_nothing(url, body):
    """All or none, over both services."""
    before = values(url)
    good = {"ses": {"hourly_per_recipient": 3}, **body} if isinstance(body, dict) and "ses" not in body else body
    answer = requests.post(url, json=good, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert values(url) == before
