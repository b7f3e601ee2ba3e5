"""events that funding cannot apply are parked"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "funding_0002"
down_revision = "funding_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parked_event",
        sa.Column("source", TEXT, nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("tries", WHOLE, nullable=False),
        sa.Column("parked_time", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard", "position"),
    )


def downgrade() -> None:
    op.drop_table("parked_event")
