"""Benchmarks: how fast, at what cost. `make bench` runs them; nothing here is a test."""
