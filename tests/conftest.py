import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import harness  # noqa: E402


@pytest.fixture
def headrace(tmp_path):
    """Starts programs under test; whatever still runs at the end is stopped."""
    started = []

    def start(config, settings=(), name="headrace", **options):
        server = harness.Headrace(tmp_path / name, config, settings, **options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server.process and server.process.poll() is None:
            server.kill()
