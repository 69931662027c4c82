"""The network of cities: members, offices, projects over the years, the yearly report."""
