"""findings, and the index by which they are found"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "coordination_0006"
down_revision = "coordination_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "finding",
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
        sa.Column("application", TEXT, nullable=False),
        sa.Column("other", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("disposition", WHOLE, nullable=False),
        sa.Column("review", TEXT, nullable=False),
        sa.Column("concerned_departments", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("finding_create_time", "finding", ["create_time", "name"], unique=False)
    op.create_index("finding_update_time", "finding", ["update_time", "name"], unique=False)
    op.create_table(
        "compared_document",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("application", TEXT, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("is_in", WHOLE, nullable=False),
        sa.Column("is_chinese", WHOLE, nullable=False),
        sa.Column("owner_unit", TEXT, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("application"),
    )
    op.create_index("compared_document_position", "compared_document", ["position"], unique=False)
    op.create_table(
        "compared_key",
        sa.Column("key", WHOLE, autoincrement=False, nullable=False),
        sa.Column("document", WHOLE, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "document"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "compared_frequency",
        sa.Column("key", WHOLE, autoincrement=False, nullable=False),
        sa.Column("documents", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def downgrade() -> None:
    op.drop_table("compared_frequency")
    op.drop_table("compared_key")
    op.drop_index("compared_document_position", table_name="compared_document")
    op.drop_table("compared_document")
    op.drop_index("finding_update_time", table_name="finding")
    op.drop_index("finding_create_time", table_name="finding")
    op.drop_table("finding")
