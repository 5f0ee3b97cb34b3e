import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import harness  # noqa: E402

# Tests hold thousands of connections; many systems allow 1,024 files where nobody asks for more.
_, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))


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
