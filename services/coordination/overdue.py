"""Opinions that are past their day."""

import datetime

import sqlalchemy as sa

from kernel.tables import Tables
from luoshu.coordination.v1 import coordination_pb2 as pb


def overdue_opinions(tx: sa.Connection, tables: Tables, today: datetime.date) -> int:
    """Return how many opinions are still missing after their review's due date; the day itself is not late."""
    review = tables.records["reviews"]
    late = sa.select(review.c.record).where(
        review.c.state == pb.Review.STATE_OPEN, review.c.due_date < today.isoformat()
    )
    reviews = (pb.Review.FromString(body) for body in tx.execute(late).scalars())
    return sum(not opinion.verdict for found in reviews for opinion in found.opinions)
