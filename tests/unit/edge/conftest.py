"""What holds for tests of more than one file here."""

import pytest
from ledgersite import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)
