"""the witnesses' cosignatures"""

import sqlalchemy as sa
from alembic import op

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
revision = "audit_0002"
down_revision = "audit_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cosignature",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("witness", TEXT, nullable=False),
        sa.Column("line", TEXT, nullable=False),
        sa.Column("time", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size", "witness"),
    )


def downgrade() -> None:
    op.drop_table("cosignature")
