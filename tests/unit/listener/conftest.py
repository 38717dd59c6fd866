"""One service's directories, and workers' shares in them, for the tests that file."""

import pytest
from scripted import Site


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def other(site):
    """Another worker of the same service."""
    made = Site(site.root)
    yield made
    made.close()
