"""Benchmarks: the time and memory that the action adds to a bare build."""
