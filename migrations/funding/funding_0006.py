"""the register of sanctions, and what rules of eligibility ask applications by"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "funding_0006"
down_revision = "funding_0005"
branch_labels = None
depends_on = None

TEXTS = (
    "title",
    "unit_code",
    "unit_name",
    "person_subject",
    "from_date",
    "to_date",
    "document_number",
)
INDEXED = ("create_time", "from_date", "person_subject", "title", "unit_code", "update_time")
SOUGHT = ("applicant_unit_code", "principal_investigator_subject")


def upgrade() -> None:
    op.create_table(
        "sanction",
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
        *(sa.Column(name, TEXT, nullable=False) for name in TEXTS),
        sa.PrimaryKeyConstraint("name"),
    )
    for column in INDEXED:
        op.create_index(f"sanction_{column}", "sanction", [column, "name"])
    for column in SOUGHT:
        op.create_index(f"application_{column}", "application", [column, "name"])


def downgrade() -> None:
    for column in SOUGHT:
        op.drop_index(f"application_{column}", table_name="application")
    op.drop_table("sanction")
