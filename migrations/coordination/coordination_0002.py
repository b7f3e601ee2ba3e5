"""a review has a kind and a subject: until now all were joint reviews of applications"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "coordination_0002"
down_revision = "coordination_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review", sa.Column("kind", WHOLE, nullable=False, server_default="1"))
    op.add_column("review", sa.Column("subject", TEXT, nullable=False, server_default=""))
    op.execute("UPDATE review SET subject = application")


def downgrade() -> None:
    op.drop_column("review", "subject")
    op.drop_column("review", "kind")
