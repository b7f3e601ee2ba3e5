"""the access journal of technologies: what changes no record and is told all the same"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "technologies_0003"
down_revision = "technologies_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_journal",
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("access_journal_action", "access_journal", ["action", "position"], unique=False)
    op.create_table(
        "access_head",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "access_flood",
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("since", WHOLE, nullable=False),
        sa.Column("counted", WHOLE, nullable=False),
        sa.Column("first", WHOLE, nullable=False),
        sa.Column("last", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("actor"),
    )
    op.create_table(
        "access_cursor",
        sa.Column("source", TEXT, nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard"),
    )
    op.execute("INSERT INTO access_head (id, position, commit_time) VALUES (1, 0, 0)")


def downgrade() -> None:
    op.drop_table("access_cursor")
    op.drop_table("access_flood")
    op.drop_table("access_head")
    op.drop_index("access_journal_action", table_name="access_journal")
    op.drop_table("access_journal")
