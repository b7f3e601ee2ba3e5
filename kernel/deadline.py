"""What happens to a record by itself, on a day."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from kernel.errors import Refused


class Deadline(NamedTuple):
    """One thing that is due. It follows from the record alone, and is gone from it once it has happened.

    `key`: tells it from all that were ever due of the record. `day`: the business date that it happens on, from its first
    moment: what may be done up to the end of a day is over on the day after. `action`: of the lifecycle, for the role `system`;
    its request has a field `key`.
    """

    key: str
    day: datetime.date
    action: str


class Due(NamedTuple):
    """A deadline as the database keeps it, with its record."""

    record: str
    key: str
    day: str
    action: str


def demand_due(deadlines: Sequence[Deadline], key: str, today: datetime.date) -> None:
    """Raises Refused for a deadline whose day has not come, or that the record no longer has."""
    due = [found for found in deadlines if found.key == key]
    if not due or due[0].day > today:
        when = f"on {due[0].day}" if due else "no longer"
        raise Refused(
            f"{key} is due {when}; it happens by itself",
            f"{key} 现在未到期或已办理；到期由系统自动办理",
            reason="NOT_DUE",
        )
