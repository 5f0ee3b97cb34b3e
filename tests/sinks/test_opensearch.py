"""The OpenSearch sink against a real OpenSearch."""

import json
import urllib.request

import pytest
from servers.opensearch import OpenSearch

from harness import run, wait_until

CONFIG = """
topics: {{events: {{partitions: 2}}}}
sinks:
  search:
    type: opensearch
    topics: [events]
    url: {url}
    index: events
    mapping: '{{"properties": {{"n": {{"type": "integer"}}, "place": {{"type": "geo_point"}}}}}}'
"""


@pytest.fixture(scope="module")
def opensearch(tmp_path_factory):
    with OpenSearch(tmp_path_factory.mktemp("opensearch")) as server:
        yield server


def produce(server, lines, topic="events"):
    run("produce", topic, "-b", server.kafka, input="".join(line + "\n" for line in lines))


def count(opensearch, index="events"):
    try:
        return opensearch.get(f"/{index}/_count")["count"]
    except Exception:
        return -1


def components(server):
    with urllib.request.urlopen(server.http + "/api/v1/status", timeout=10) as answer:
        return answer.read().decode()


def test_documents_arrive_once_and_bad_ones_become_dead_letters(headrace, opensearch):
    server = headrace(CONFIG.format(url=opensearch.url))
    good = [json.dumps({"n": i, "place": {"lat": 40.7, "lon": -74}}) for i in range(500)]
    produce(server, good[:250] + ['{"n": "not a number"}', "not json"] + good[250:])
    wait_until(lambda: count(opensearch) == 500, 60, "500 documents")
    hit = opensearch.get("/events/_search?q=n:7")["hits"]["hits"][0]
    assert hit["_id"].startswith("events-")
    letters = wait_until(lambda: [line for line in run("tail", "dead-letters", "-b", server.kafka, "--from-beginning", "--exit",
                                                       check=False).stdout.splitlines()] or None)
    wait_until(lambda: len(run("tail", "dead-letters", "-b", server.kafka, "--from-beginning", "--exit",
                               check=False).stdout.splitlines()) == 2, what=f"both dead letters, not only {letters}")
    server.kill()
    server.start()
    produce(server, ['{"n": 1000}'])
    wait_until(lambda: count(opensearch) == 501, 60, "one more document after a crash")


def test_an_unreachable_cluster_is_waited_for_and_shown(headrace, tmp_path):
    late = OpenSearch(tmp_path / "late")
    server = headrace(CONFIG.format(url=late.url))
    produce(server, [json.dumps({"n": i}) for i in range(100)])
    wait_until(lambda: "retrying" in components(server), what="the console to show the retries")
    assert str(late.port) in components(server)
    with late:
        wait_until(lambda: count(late) == 100, 90, "everything, once it is there")
        wait_until(lambda: "retrying" not in components(server))


def test_the_file_sink_rotates_and_goes_on(headrace, tmp_path):
    out = tmp_path / "out"
    server = headrace(f"topics: {{events: {{partitions: 1}}}}\nsinks:\n  files: {{type: file, topics: [events], "
                      f"path: '{out}', size_max: 64KiB}}\n")
    lines = [json.dumps({"n": i, "pad": "x" * 100}) for i in range(2000)]
    produce(server, lines[:1500])
    written = lambda: [json.loads(line) for f in sorted(out.rglob("*")) if f.is_file()  # noqa: E731
                       for line in f.read_text().splitlines()]
    wait_until(lambda: len(written()) >= 1500)
    server.kill()
    server.start()
    produce(server, lines[1500:])
    wait_until(lambda: len({json.dumps(row) for row in written()}) >= 2000)
    assert len([f for f in out.rglob("*") if f.is_file()]) > 2
