"""Subscriptions and their notifications (ETSI GS CIM 009 clauses 5.8, 6.10, 6.11 and 7)."""
