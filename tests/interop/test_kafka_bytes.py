"""Our encodings of every message and version are, byte for byte, those of the Java client's own classes, and what Java
writes is read and written again as it was."""

import os
import subprocess
from pathlib import Path

import pytest
from servers import kafka, maven

SOURCE = Path(__file__).parent / "java/KafkaBytes.java"
ROOT = Path(__file__).resolve().parents[2]


def test_bytes_are_those_of_the_java_client(tmp_path):
    program = Path(os.environ.get("HEADRACE_BIN", ROOT / "build/release/headrace")).parent / "src/wire_kafka_test"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    def unit(test, **environment):
        done = subprocess.run([program, f"--gtest_filter=JavaBytes.{test}"], text=True, capture_output=True,
                              env={**os.environ, **environment})
        assert done.returncode == 0, done.stdout[-4000:]

    unit("SamplesAreWrittenForJava", HEADRACE_KAFKA_SAMPLES=str(ours))
    classes = kafka.install()
    subprocess.run([maven.java("javac"), "-cp", classes, "-d", tmp_path, SOURCE], check=True)
    java = subprocess.run([maven.java(), "-XX:TieredStopAtLevel=1", "-cp", f"{tmp_path}:{classes}", "KafkaBytes", ours,
                           theirs], text=True, capture_output=True, check=True)
    assert java.stdout.splitlines()[-1].endswith(" 0 differences"), java.stdout[:4000]
    unit("WhatJavaWroteComesBackAsItWas", HEADRACE_KAFKA_JAVA_SAMPLES=str(theirs))
