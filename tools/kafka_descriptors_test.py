"""The declared Kafka messages are those of the kafka-clients jar, and the comparison finds what differs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import kafka_descriptors

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTOR = """
// A comment before all.
{ "apiKey": 12, "name": "HeartbeatRequest", // and one "behind" a line
  "validVersions": "0-4", "flexibleVersions": "4+",
  "fields": [ { "name": "GroupId", "type": "string", "versions": "0+", "about": "see http://x" } ] }
"""
DECLARED = {"name": "HeartbeatRequest", "apiKey": 12, "versions": "0-4", "flexible": "4+", "fields": [
    {"name": "GroupId", "type": "string", "versions": "0+", "nullable": "none", "tagged": "none", "tag": -1, "default": ""}]}


def differences(**changes):
    return list(kafka_descriptors.compare({**DECLARED, **changes}, kafka_descriptors.parse_descriptor(DESCRIPTOR)))


def field(**changes):
    return [{**DECLARED["fields"][0], **changes}]


def test_the_same_declaration_has_no_differences():
    assert differences() == []


@pytest.mark.parametrize("changes, what", [
    ({"apiKey": 13}, "key is 13"),
    ({"versions": "0-5"}, "not within"),
    ({"flexible": "3+"}, "flexible versions"),
    ({"fields": []}, "has fields"),
    ({"fields": field(type="int32")}, "type is int32"),
    ({"fields": field(versions="1+")}, "versions is"),
    ({"fields": field(nullable="0+")}, "nullable is"),
    ({"fields": field(tagged="4+", tag=0)}, "tagged is"),
    ({"fields": field(default="x")}, "default is x"),
])
def test_every_kind_of_difference_is_found(changes, what):
    assert what in differences(**changes)[0]


def test_all_declarations_are_kafkas(tmp_path):
    program = Path(os.environ.get("HEADRACE_BIN", ROOT / "build/release/headrace")).parent / "src/wire_kafka_test"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    out = tmp_path / "declarations"
    subprocess.run([program, "--gtest_filter=Declarations.*"], check=True, capture_output=True,
                   env={**os.environ, "HEADRACE_KAFKA_DECLARATIONS": str(out)})
    assert len(out.read_text().splitlines()) > 60
    assert [json.loads(line)["name"] for line in out.read_text().splitlines()][0] == "RequestHeader"
    assert list(kafka_descriptors.check(out.read_text(), kafka_descriptors.jar())) == []
