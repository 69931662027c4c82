"""Reads the city for its screens: stations, measures, the state of things now."""
