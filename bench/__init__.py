"""Benchmarks: what the city does in a second, beside a floor measured in the same run."""
