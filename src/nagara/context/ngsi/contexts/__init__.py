"""@contexts: the core ones from a table, users' compiled, hosted and kept (clauses 4.4, 5.13)."""
