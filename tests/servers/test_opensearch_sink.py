"""The OpenSearch sink against a real OpenSearch."""

from servers import unit
from servers.opensearch import OpenSearch


def test_writes_rejects_and_maps(tmp_path):
    with OpenSearch(tmp_path / "opensearch") as opensearch:
        unit.run("sinks", "RealOpenSearchTest.*", HEADRACE_TEST_OPENSEARCH=opensearch.url)
