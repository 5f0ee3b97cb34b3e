"""The Kafka bus against real clusters of one and three brokers."""

import os
import subprocess

import pytest
from servers import unit
from servers.kafka import Kafka


# Three brokers and a kill take minutes on a busy machine: HEADRACE_DEEP=1 adds them.
@pytest.mark.parametrize("brokers", [1, 3] if os.environ.get("HEADRACE_DEEP") else [1])
def test_keeps_the_contract_of_the_bus_and_survives_a_killed_broker(tmp_path, brokers):
    with Kafka(tmp_path / "kafka", brokers) as kafka:
        unit.run("bus_kafka", "*KafkaBus*:*BusContract*", HEADRACE_TEST_KAFKA=kafka.bootstrap)
        produce_through_an_outage(kafka)


def produce_through_an_outage(kafka):
    """Kills the last broker while the test program produces, starts it again, and lets the program judge."""
    process = subprocess.Popen([unit.program("bus_kafka"), "--gtest_filter=KafkaOutage.NothingAcknowledged*"],
                               env={**os.environ, "HEADRACE_TEST_KAFKA_OUTAGE": kafka.bootstrap},
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.strip() == "producing":
                break
        kafka.kill(kafka.brokers)
        kafka.restart(kafka.brokers)
        rest, _ = process.communicate("back\n", timeout=300)
        assert process.returncode == 0, "".join(lines)[-3000:] + rest[-3000:]
        assert "PASSED  ] 1 test" in rest
    finally:
        process.kill()
        process.wait()
