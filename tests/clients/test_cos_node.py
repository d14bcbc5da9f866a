"""cos-nodejs-sdk-v5, an independent signer of the same vendor, by IP and as a proxy's client."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients import programs
from tests.clients.recording import record

SCRIPT = Path(__file__).with_name("cos_node.js")
ROOT = Path(os.environ.get("MAILTRAIL_NODE_ROOT", Path(__file__).parents[2]))


@pytest.mark.parametrize("way", ["Ip", "Proxy"])
def test_every_operation(server, way):
    """What cos_node.js does, each operation noted by itself."""
    node = programs.find("node")
    if not (ROOT / "node_modules" / "cos-nodejs-sdk-v5").is_dir():
        pytest.skip("cos-nodejs-sdk-v5 is not installed (npm ci)")
    arguments = (str(server.ports.cos), way, BUCKET, REGION, SECRET_ID, SECRET_KEY)
    printed = programs.run(node, SCRIPT, ROOT, *arguments, environment={})
    first, *results = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    for one in results:
        record("cos-nodejs-sdk-v5", one["name"], one["passed"], version=first["version"])
    assert len(results) == 10, printed
    assert not [one for one in results if not one["passed"]]
