"""the first tables of platforms"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "platforms_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumer_cursor",
        sa.Column("source", TEXT, nullable=False),
        sa.Column("shard", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("source", "shard"),
    )
    op.create_table(
        "journal",
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("collection", TEXT, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.Column("effective_date", TEXT, nullable=False),
        sa.Column("readers", TEXT, nullable=False),
        sa.Column("public", WHOLE, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("record", "revision"),
        sa.UniqueConstraint("request_id"),
    )
    op.create_table(
        "journal_head",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("commit_time", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "known_record",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "official_number",
        sa.Column("series", TEXT, nullable=False),
        sa.Column("last", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("series"),
    )
    op.create_table(
        "personal_value",
        sa.Column("commitment", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("commitment"),
    )
    op.create_table(
        "platform",
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
        sa.Column("title", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("level", WHOLE, nullable=False),
        sa.Column("supporting_unit_code", TEXT, nullable=False),
        sa.Column("supporting_unit_name", TEXT, nullable=False),
        sa.Column("division", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("official_number", TEXT, nullable=False),
        sa.Column("document_number", TEXT, nullable=False),
        sa.Column("recognition_date", TEXT, nullable=False),
        sa.Column("origin_foreign_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("platform_create_time", "platform", ["create_time", "name"], unique=False)
    op.create_index(
        "platform_recognition_date", "platform", ["recognition_date", "name"], unique=False
    )
    op.create_index("platform_title", "platform", ["title", "name"], unique=False)
    op.create_index("platform_update_time", "platform", ["update_time", "name"], unique=False)
    op.create_table(
        "subject",
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.execute("INSERT INTO journal_head (id, position, commit_time) VALUES (1, 0, 0)")


def downgrade() -> None:
    op.drop_table("subject")
    op.drop_index("platform_update_time", table_name="platform")
    op.drop_index("platform_title", table_name="platform")
    op.drop_index("platform_recognition_date", table_name="platform")
    op.drop_index("platform_create_time", table_name="platform")
    op.drop_table("platform")
    op.drop_table("personal_value")
    op.drop_table("official_number")
    op.drop_table("known_record")
    op.drop_table("journal_head")
    op.drop_table("journal")
    op.drop_table("consumer_cursor")
