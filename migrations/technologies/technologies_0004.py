"""what is due of a technology: its bidding ends, then its opening"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
revision = "technologies_0004"
down_revision = "technologies_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deadline",
        sa.Column("record", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("record", "key"),
    )
    op.create_index("deadline_day", "deadline", ["day", "record", "key"], unique=False)


def downgrade() -> None:
    op.drop_index("deadline_day", table_name="deadline")
    op.drop_table("deadline")
