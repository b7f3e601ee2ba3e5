"""indexes by which auditors' questions are answered"""

from alembic import op

revision = "audit_0004"
down_revision = "audit_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("entry_actor_time", "entry", ["actor", "commit_time"], unique=False)
    op.create_index("entry_action_time", "entry", ["action", "commit_time"], unique=False)


def downgrade() -> None:
    op.drop_index("entry_action_time", table_name="entry")
    op.drop_index("entry_actor_time", table_name="entry")
