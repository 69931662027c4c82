"""Migrations: SQL, forward only. Each released version of the data is one Alembic revision."""
