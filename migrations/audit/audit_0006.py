"""indexes by which entries of one journal, and of a time, are found"""

from alembic import op

revision = "audit_0006"
down_revision = "audit_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("entry_source", "entry", ["source", "index"], unique=False)
    op.create_index("entry_source_time", "entry", ["source", "commit_time"], unique=False)
    op.create_index("entry_department_time", "entry", ["department", "commit_time"], unique=False)


def downgrade() -> None:
    op.drop_index("entry_department_time", table_name="entry")
    op.drop_index("entry_source_time", table_name="entry")
    op.drop_index("entry_source", table_name="entry")
