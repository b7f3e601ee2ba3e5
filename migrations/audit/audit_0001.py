"""the first tables of audit"""

import sqlalchemy as sa
from alembic import op

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("time", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "cursor",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard"),
    )
    op.create_table(
        "entry",
        sa.Column("index", WHOLE, autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("commit_time", WHOLE, autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("index"),
        sa.UniqueConstraint("source", "shard", "position"),
    )
    op.create_index("entry_action", "entry", ["action", "index"], unique=False)
    op.create_index("entry_actor", "entry", ["actor", "index"], unique=False)
    op.create_index("entry_commit_time", "entry", ["commit_time"], unique=False)
    op.create_index("entry_department", "entry", ["department", "index"], unique=False)
    op.create_index("entry_record", "entry", ["record", "index"], unique=False)
    op.create_table(
        "node",
        sa.Column("level", WHOLE, autoincrement=False, nullable=False),
        sa.Column("index", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("node")
    op.drop_index("entry_record", table_name="entry")
    op.drop_index("entry_department", table_name="entry")
    op.drop_index("entry_commit_time", table_name="entry")
    op.drop_index("entry_actor", table_name="entry")
    op.drop_index("entry_action", table_name="entry")
    op.drop_table("entry")
    op.drop_table("cursor")
    op.drop_table("checkpoint")
