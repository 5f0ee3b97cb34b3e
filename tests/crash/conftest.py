import pytest
import tiny_disk
import volatile_disk
from harness import Headrace


@pytest.fixture(scope="session")
def volatile_library(tmp_path_factory):
    return volatile_disk.build(tmp_path_factory.mktemp("volatile"))


@pytest.fixture
def small_disk(tmp_path):
    with tiny_disk.mounted(tmp_path / "disk") as mount:
        yield mount


@pytest.fixture
def small_server(small_disk):
    """Starts a server on the small disk."""
    started = []

    def start(config):
        started.append(Headrace(small_disk, config).start())
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
