"""The first release: every part's tables, from the files of `migrations/first` in name order."""

from nagara.engines.revisions import write_files

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Writes the SQL of the first release."""
    write_files("first")
