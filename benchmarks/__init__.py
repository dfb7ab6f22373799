"""Measurements of speed: `make bench`, or `python -m benchmarks --help`."""
