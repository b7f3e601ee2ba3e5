"""the first tables of reports"""

import sqlalchemy as sa
from alembic import op

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "reports_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumer_cursor",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard"),
    )
    op.create_table(
        "edition",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("edition", WHOLE, autoincrement=False, nullable=False),
        sa.Column("known_day", sa.Text(), nullable=False),
        sa.Column("cuts", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("differences", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("period", "edition"),
    )
    op.create_table(
        "fact",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cause", WHOLE, nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("effective_date", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("successors", sa.Text(), nullable=False),
        sa.Column("recognized_date", sa.Text(), nullable=False),
        sa.Column("assessed_date", sa.Text(), nullable=False),
        sa.Column("reached", sa.Text(), nullable=False),
        sa.Column("reached_date", sa.Text(), nullable=False),
        sa.Column("completed", WHOLE, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("requested", WHOLE, nullable=False),
        sa.Column("approved", WHOLE, nullable=False),
        sa.Column("paid", WHOLE, nullable=False),
        sa.Column("recovered", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard", "position"),
    )
    op.create_index("fact_business_date", "fact", ["business_date", "effective_date"], unique=False)
    op.create_index("fact_collection", "fact", ["collection", "effective_date"], unique=False)
    op.create_index("fact_record", "fact", ["record", "effective_date", "revision"], unique=False)
    op.create_table(
        "settled",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "watermark",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_date", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )


def downgrade() -> None:
    op.drop_table("watermark")
    op.drop_table("settled")
    op.drop_index("fact_record", table_name="fact")
    op.drop_index("fact_collection", table_name="fact")
    op.drop_index("fact_business_date", table_name="fact")
    op.drop_table("fact")
    op.drop_table("edition")
    op.drop_table("consumer_cursor")
