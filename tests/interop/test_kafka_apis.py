"""The APIs, versions and features that we tell are those of a running Apache Kafka, but for what docs/compatibility.md
lists, with a reason for each."""

from pathlib import Path

import api_versions
import kafka_descriptors
import pytest
from servers.kafka import Kafka

ROOT = Path(__file__).resolve().parents[2]
NONE = "–"


def range_text(versions):
    if versions is None:
        return NONE
    first, last = versions
    return f"{first}" if first == last else f"{first}-{last}"


def api_names():
    """{API key: name}, by the descriptors of Kafka's own client."""
    return {descriptor["apiKey"]: descriptor["name"].removesuffix("Request")
            for descriptor in kafka_descriptors.descriptors() if descriptor["type"] == "request"}


def differences(theirs, ours):
    """{what: (Kafka's range, ours)} where they differ, as text."""
    return {what: (range_text(theirs.get(what)), range_text(ours.get(what)))
            for what in theirs.keys() | ours.keys() if theirs.get(what) != ours.get(what)}


def documented(heading):
    """The table under `heading` in docs/compatibility.md: rows of cells."""
    text = (ROOT / "docs/compatibility.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


@pytest.fixture(scope="module")
def apache_kafka(tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka") / "cluster") as cluster:
        yield api_versions.ask(cluster.bootstrap)


@pytest.fixture
def ours(headrace):
    return api_versions.ask(headrace("").kafka)


def test_apis_and_versions_differ_from_kafkas_as_documented(apache_kafka, ours):
    names = api_names()
    found = {(str(key), names[key]): ranges for key, ranges in differences(apache_kafka.apis, ours.apis).items()}
    rows = documented("APIs that differ from Apache Kafka's")
    assert {(key, name): (theirs, mine) for key, name, theirs, mine, _ in rows} == found
    assert all(reason for *_, reason in rows)


def test_features_differ_from_kafkas_as_documented(apache_kafka, ours):
    found = differences(apache_kafka.features, ours.features)
    rows = documented("Features that differ from Apache Kafka's")
    assert {name: (theirs, mine) for name, theirs, mine, _ in rows} == found
    assert all(reason for *_, reason in rows)
