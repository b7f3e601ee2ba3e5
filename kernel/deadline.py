"""What happens to a record by itself, on a day."""

import datetime
from typing import NamedTuple


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
