"""mentions: which records name, or ever named, a person"""

import re

import sqlalchemy as sa
from alembic import context, op

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
revision = "platforms_0006"
down_revision = "platforms_0005"
branch_labels = None
depends_on = None

PSEUDONYM = re.compile(rb"ps1-[A-Za-z0-9_-]{22}")
LINES = 1000  # of the journal, read at a time


def upgrade() -> None:
    mention = op.create_table(
        "mention",
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("subject", "record"),
    )
    if not context.is_offline_mode():
        _fill(mention)


def _fill(mention: sa.Table) -> None:
    """Take what the journal's events name; printed as SQL, the step leaves that to a database that is new."""
    journal, tx = (
        sa.table("journal", *map(sa.column, ("position", "record", "event"))),
        op.get_bind(),
    )
    page = sa.select(journal).where(journal.c.position > sa.bindparam("after")).limit(LINES)
    after, known = 0, set[tuple[str, str]]()
    while lines := tx.execute(page.order_by(journal.c.position), {"after": after}).all():
        named = {
            (s.decode(), record) for _, record, event in lines for s in PSEUDONYM.findall(event)
        }
        if fresh := sorted(named - known):
            op.bulk_insert(mention, [{"subject": s, "record": r} for s, r in fresh])
        known |= named
        after = lines[-1].position


def downgrade() -> None:
    op.drop_table("mention")
