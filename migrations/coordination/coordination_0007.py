"""agendas: what departments owe of their records"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "coordination_0007"
down_revision = "coordination_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agenda",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("revisions", WHOLE, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("readers", TEXT, nullable=False),
        sa.Column("public", WHOLE, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("state", WHOLE, nullable=False),
        sa.Column("create_time", WHOLE, nullable=False),
        sa.Column("update_time", WHOLE, nullable=False),
        sa.Column("effective_date", TEXT, nullable=False),
        sa.Column("lead_department", TEXT, nullable=False),
        sa.Column("owner_unit", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for column in ("create_time", "update_time"):
        op.create_index(f"agenda_{column}", "agenda", [column, "name"])


def downgrade() -> None:
    op.drop_table("agenda")
