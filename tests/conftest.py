"""Fixtures of the whole suite."""

pytest_plugins = ["engine_fixtures"]
