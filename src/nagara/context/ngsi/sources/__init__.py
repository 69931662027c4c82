"""Context sources (ETSI GS CIM 009 clauses 4.3.6, 5.9 to 5.12, 5.14 to 5.16)."""
