"""Fixtures of several acceptance tests."""

import pytest
from intruders import site_with_something_to_lose


@pytest.fixture(scope="module")
def site_to_break_into(tmp_path_factory):
    with site_with_something_to_lose(tmp_path_factory.mktemp("i")) as site:
        yield site
