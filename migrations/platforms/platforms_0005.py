"""platforms are sought by their kind: of some the province has one a sub-field"""

from alembic import op

revision = "platforms_0005"
down_revision = "platforms_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("platform_kind", "platform", ["kind", "name"])


def downgrade() -> None:
    op.drop_index("platform_kind", table_name="platform")
