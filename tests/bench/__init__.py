"""Benchmarks: the peer and ours in one run, interleaved; never part of the tests."""
