"""The Kafka bus against real clusters of one and three brokers."""


import pytest
from servers import unit
from servers.kafka import Kafka


@pytest.mark.parametrize("brokers", [1, 3])
def test_keeps_the_contract_of_the_bus(tmp_path, brokers):
    with Kafka(tmp_path / "kafka", brokers) as kafka:
        unit.run("bus_kafka", "*KafkaBus*:*BusContract*", HEADRACE_TEST_KAFKA=kafka.bootstrap)
