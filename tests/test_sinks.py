"""Sinks while their topics come and go."""

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from harness import wait_until


def produce(server, topic, values):
    failed = []
    producer = Producer({"bootstrap.servers": server.kafka})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(30) == 0 and not failed, failed[:1]


def test_a_topic_that_is_deleted_and_made_anew_stops_no_sink(headrace, tmp_path):
    out = tmp_path / "out"
    server = headrace("topics: {a: {partitions: 1}, b: {partitions: 1}}\n"
                      f"sinks:\n  files: {{type: file, topics: [a, b], content: record, path: '{out}'}}\n")

    def written(text):
        return any(text in file.read_text() for file in out.rglob("*") if file.is_file())

    produce(server, "a", ["a-before"])
    produce(server, "b", ["b-before"])
    wait_until(lambda: written("a-before") and written("b-before"), what="the first records")
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.delete_topics(["b"])["b"].result(30)
    produce(server, "a", ["a-without-b"])
    wait_until(lambda: written("a-without-b"), what="the topic that stayed")
    admin.create_topics([NewTopic("b", 1)])["b"].result(30)
    produce(server, "b", ["b-again"])
    wait_until(lambda: written("b-again"), what="the topic that is there again")
