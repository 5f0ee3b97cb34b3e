"""Our encodings of every message and version are, byte for byte, those of the Java client's own classes, and what Java
writes is read and written again as it was. Every version that Kafka's descriptors know of every API that we serve is
compared, both headers too."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import api_versions
import kafka_descriptors
import pytest
from servers import kafka, maven

from harness import BIN

SOURCE = Path(__file__).parent / "java/KafkaBytes.java"
OUR_SAMPLES, THEIR_SAMPLES = 5, 3  # Of each message and version; as java_bytes_test.cc and KafkaBytes.java make them.
HEADERS = {"RequestHeader", "ResponseHeader"}
PRODUCE, PRODUCE_SINCE = 0, 3  # Earlier versions are told, for librdkafka, but not served.


def unit(test, **environment):
    """Runs a test of src/wire/kafka/java_bytes_test.cc."""
    program = Path(BIN).parent / "src/wire_kafka_test"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    done = subprocess.run([program, f"--gtest_filter=JavaBytes.{test}"], text=True, capture_output=True,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout[-4000:]


def rewritten_by_java(folder, ours, theirs):
    """Lets Java read `ours` and write `theirs`; what it printed."""
    classes = kafka.install()
    subprocess.run([maven.java("javac"), "-cp", classes, "-d", folder, SOURCE], check=True)
    return subprocess.run([maven.java(), "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{classes}", "KafkaBytes", ours,
                           theirs], text=True, capture_output=True, check=True).stdout


def samples(path):
    """How many samples `path` has of each (message, version)."""
    return Counter((name, int(version)) for name, version, _ in (line.split(" ") for line in open(path)))


def range_of(versions):
    first, last = versions
    return range(first, last + 1)


def test_bytes_are_those_of_the_java_client(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    unit("SamplesAreWrittenForJava", HEADRACE_KAFKA_SAMPLES=str(ours))
    printed = rewritten_by_java(tmp_path, ours, theirs)
    assert printed.splitlines()[-1].endswith(" 0 differences"), printed[:4000]
    unit("WhatJavaWroteComesBackAsItWas", HEADRACE_KAFKA_JAVA_SAMPLES=str(theirs))
    assert set(samples(ours).values()) == {OUR_SAMPLES}
    assert samples(theirs) == Counter({kind: THEIR_SAMPLES for kind in samples(ours)})


def test_every_version_of_every_api_served_is_compared(headrace, tmp_path):
    unit("SamplesAreWrittenForJava", HEADRACE_KAFKA_SAMPLES=str(tmp_path / "ours"))
    compared = samples(tmp_path / "ours").keys()
    served = api_versions.ask(headrace("").kafka).apis
    known = {descriptor["name"]: descriptor for descriptor in kafka_descriptors.descriptors()}
    names = {name for name, descriptor in known.items() if descriptor.get("apiKey") in served} | HEADERS
    assert len(names) == 2 * len(served) + len(HEADERS)
    assert compared == {(name, version) for name in names
                        for version in range_of(kafka_descriptors.versions(known[name]["validVersions"]))}
    served[PRODUCE] = (PRODUCE_SINCE, served[PRODUCE][1])
    told = {(name, version) for name in names - HEADERS for version in range_of(served[known[name]["apiKey"]])}
    assert told <= compared
