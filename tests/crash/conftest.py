import pytest
import volatile_disk


@pytest.fixture(scope="session")
def volatile_library(tmp_path_factory):
    return volatile_disk.build(tmp_path_factory.mktemp("volatile"))
