"""Opinions that are past their day."""

import datetime

import sqlalchemy as sa

from kernel.columns import iso
from kernel.tables import Tables
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.clock import missing


def overdue_opinions(tx: sa.Connection, tables: Tables, today: datetime.date) -> int:
    """Return how many opinions are still missing after their own due date, also while a deputy has its days; the day itself is
    not late.
    """
    review = tables.records["reviews"]
    open_ = sa.select(review.c.record).where(review.c.state == pb.Review.STATE_OPEN)
    reviews = (pb.Review.FromString(body) for body in tx.execute(open_).scalars())
    late = today.isoformat()
    return sum(missing(o) and iso(o.due_date) < late for found in reviews for o in found.opinions)
