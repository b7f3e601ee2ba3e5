"""the first tables of funding"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "funding_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "application",
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
        sa.Column("applicant_unit_code", TEXT, nullable=False),
        sa.Column("applicant_unit_name", TEXT, nullable=False),
        sa.Column("applicant_unit_foreign_id", TEXT, nullable=False),
        sa.Column("programme", TEXT, nullable=False),
        sa.Column("call", TEXT, nullable=False),
        sa.Column("year", WHOLE, nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("requested_fen", WHOLE, nullable=False),
        sa.Column("approved_fen", WHOLE, nullable=False),
        sa.Column("paid_fen", WHOLE, nullable=False),
        sa.Column("recovered_fen", WHOLE, nullable=False),
        sa.Column("principal_investigator_subject", TEXT, nullable=False),
        sa.Column("recommending_unit", TEXT, nullable=False),
        sa.Column("predecessor", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("start_date", TEXT, nullable=False),
        sa.Column("end_date", TEXT, nullable=False),
        sa.Column("approval_award_number", TEXT, nullable=False),
        sa.Column("contract_number", TEXT, nullable=False),
        sa.Column("origin_foreign_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(
        "application_approved_fen", "application", ["approved_fen", "name"], unique=False
    )
    op.create_index("application_create_time", "application", ["create_time", "name"], unique=False)
    op.create_index(
        "application_requested_fen", "application", ["requested_fen", "name"], unique=False
    )
    op.create_index("application_title", "application", ["title", "name"], unique=False)
    op.create_index("application_update_time", "application", ["update_time", "name"], unique=False)
    op.create_index("application_year", "application", ["year", "name"], unique=False)
    op.create_table(
        "call",
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
        sa.Column("programme", TEXT, nullable=False),
        sa.Column("year", WHOLE, nullable=False),
        sa.Column("open_date", TEXT, nullable=False),
        sa.Column("close_date", TEXT, nullable=False),
        sa.Column("topics", TEXT, nullable=False),
        sa.Column("document_number", TEXT, nullable=False),
        sa.Column("max_award_fen", WHOLE, nullable=False),
        sa.Column("origin_foreign_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("call_close_date", "call", ["close_date", "name"], unique=False)
    op.create_index("call_create_time", "call", ["create_time", "name"], unique=False)
    op.create_index("call_title", "call", ["title", "name"], unique=False)
    op.create_index("call_update_time", "call", ["update_time", "name"], unique=False)
    op.create_index("call_year", "call", ["year", "name"], unique=False)
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
        "programme",
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
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("funding_source", TEXT, nullable=False),
        sa.Column("kinds", TEXT, nullable=False),
        sa.Column("topics", TEXT, nullable=False),
        sa.Column("document_number", TEXT, nullable=False),
        sa.Column("origin_foreign_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("programme_create_time", "programme", ["create_time", "name"], unique=False)
    op.create_index("programme_title", "programme", ["title", "name"], unique=False)
    op.create_index("programme_update_time", "programme", ["update_time", "name"], unique=False)
    op.create_table(
        "subject",
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.execute("INSERT INTO journal_head (id, position, commit_time) VALUES (1, 0, 0)")


def downgrade() -> None:
    op.drop_table("subject")
    op.drop_index("programme_update_time", table_name="programme")
    op.drop_index("programme_title", table_name="programme")
    op.drop_index("programme_create_time", table_name="programme")
    op.drop_table("programme")
    op.drop_table("personal_value")
    op.drop_table("official_number")
    op.drop_table("known_record")
    op.drop_table("journal_head")
    op.drop_table("journal")
    op.drop_table("consumer_cursor")
    op.drop_index("call_year", table_name="call")
    op.drop_index("call_update_time", table_name="call")
    op.drop_index("call_title", table_name="call")
    op.drop_index("call_create_time", table_name="call")
    op.drop_index("call_close_date", table_name="call")
    op.drop_table("call")
    op.drop_index("application_year", table_name="application")
    op.drop_index("application_update_time", table_name="application")
    op.drop_index("application_title", table_name="application")
    op.drop_index("application_requested_fen", table_name="application")
    op.drop_index("application_create_time", table_name="application")
    op.drop_index("application_approved_fen", table_name="application")
    op.drop_table("application")
