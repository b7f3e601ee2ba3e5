"""what stood when the last month closed is kept, so that the next one is told without the history"""

import sqlalchemy as sa
from alembic import op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "reports_0004"
down_revision = "reports_0003"
branch_labels = None
depends_on = None

ALIKE = (
    "collection, to_state, action, kind, level, department, division, direction, programme, currency, "
    "reached, completed"
)
FILL = f"""
INSERT INTO standing
SELECT period, {ALIKE}, count(*), sum(requested), sum(approved), sum(paid), sum(recovered)
FROM (
    SELECT closed.period, fact.*, row_number() OVER (
        PARTITION BY record ORDER BY effective_date DESC, revision DESC
    ) AS newest
    FROM fact JOIN (SELECT max(period) AS period FROM edition) AS closed
        ON substr(effective_date, 1, 7) <= closed.period
        AND substr(business_date, 1, 7) <= closed.period
) AS ranked
WHERE newest = 1 GROUP BY period, {ALIKE}
"""  # noqa: S608 - names of columns
SAID = ("recognized_date", "assessed_date", "reached_date", "successors")


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("period", TEXT, nullable=False),
        sa.Column("collection", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("department", TEXT, nullable=False),
        sa.Column("division", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("programme", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("reached", TEXT, nullable=False),
        sa.Column("completed", WHOLE, autoincrement=False, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("requested", WHOLE, nullable=False),
        sa.Column("approved", WHOLE, nullable=False),
        sa.Column("paid", WHOLE, nullable=False),
        sa.Column("recovered", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint(
            "collection", "state", "action", "kind", "level", "department", "division", "direction",
            "programme", "currency", "reached", "completed",
        ),
    )  # fmt: skip
    op.create_index("fact_effective_date", "fact", ["effective_date", "business_date"])
    for name in SAID:
        said = sa.text(f"{name} <> ''")
        op.create_index(f"fact_{name}", "fact", [name], sqlite_where=said, postgresql_where=said)
    op.execute(FILL)


def downgrade() -> None:
    for name in ("effective_date", *SAID):
        op.drop_index(f"fact_{name}", table_name="fact")
    op.drop_table("standing")
