"""the second log: hashes, checkpoints and cosignatures of the same entries with SM3 and SM2"""

import sqlalchemy as sa
from alembic import op

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
revision = "audit_0005"
down_revision = "audit_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sm_node",
        sa.Column("level", WHOLE, autoincrement=False, nullable=False),
        sa.Column("index", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sm_checkpoint",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("time", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "sm_cosignature",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("witness", TEXT, nullable=False),
        sa.Column("line", TEXT, nullable=False),
        sa.Column("time", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size", "witness"),
    )


def downgrade() -> None:
    op.drop_table("sm_cosignature")
    op.drop_table("sm_checkpoint")
    op.drop_table("sm_node")
