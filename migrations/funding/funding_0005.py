"""the double-entry ledger, filled from the journal that is there"""

import sqlalchemy as sa
from alembic import context, op

from kernel.ledger import fill
from services.funding.store import FUNDING

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "funding_0005"
down_revision = "funding_0004"
branch_labels = None
depends_on = None

TEXTS = ("programme", "funding_source", "application", "department", "applicant")
REFUSAL = "entries of the ledger are never changed: book the opposite"
ON_SQLITE = """CREATE TRIGGER ledger_entry_no_{event} BEFORE {event} ON ledger_entry
BEGIN SELECT RAISE(ABORT, '{text}'); END"""
ON_POSTGRES = """CREATE FUNCTION ledger_entry_fixed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{text}'; END $$"""
TRIGGER = """CREATE TRIGGER ledger_entry_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_fixed()"""


def account() -> list[sa.Column]:
    return [
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("programme", TEXT, nullable=False),
        sa.Column("year", WHOLE, autoincrement=False, nullable=False),
        sa.Column("funding_source", TEXT, nullable=False),
        sa.Column("application", TEXT, nullable=False),
        sa.Column("department", TEXT, nullable=False),
        sa.Column("applicant", TEXT, nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("position", WHOLE, autoincrement=False, nullable=False),
        sa.Column("line", WHOLE, autoincrement=False, nullable=False),
        sa.Column("day", TEXT, nullable=False),
        *account(),
        sa.Column("fen", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("position", "line"),
    )
    op.create_index("ledger_entry_programme", "ledger_entry", ["programme", "position"])
    op.create_table(
        "ledger_balance",
        *account(),
        sa.Column("fen", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("kind", "programme", "year", *TEXTS[1:]),
        sa.CheckConstraint(
            "fen >= 0 OR kind IN ('appropriated', 'carried', 'outside')",
            name="ledger_balance_not_below_zero",
        ),
    )
    if not context.is_offline_mode():  # what is printed makes a new database: its journal is empty
        fill(op.get_bind(), FUNDING)
    only_added_to()


def only_added_to() -> None:
    """No statement changes what is booked, not even a mistaken one of ours."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(ON_POSTGRES.format(text=REFUSAL))
        op.execute(TRIGGER)
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(ON_SQLITE.format(event=event, text=REFUSAL))


def downgrade() -> None:
    op.drop_table("ledger_balance")
    op.drop_table("ledger_entry")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_entry_fixed()")
