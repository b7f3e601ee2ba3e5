"""What the two who may erase owe: a request that waits for its second person, and whoever's time is over."""

import datetime
from collections.abc import Iterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from app.cli.privacy import SERVICES, due_in
from app.cli.session import Session
from kernel.dates import business_date, from_date
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.privacy.v1 import privacy_pb2 as pb

ROLES = frozenset(("security_administrator", "audit_administrator"))
LASTS = datetime.timedelta(days=30)
"""How long a request waits, as the contract says."""


def owed(here: Session) -> list[coordination.InboxItem]:
    """Return it for a caller who has one of the roles."""
    roles = {role.strip() for role in here.roles.split(",")}
    if roles.isdisjoint(ROLES):
        return []
    return [item for service in SERVICES for item in _of(service, due_in(service, here), here)]


def _of(service: str, found: list[Any], here: Session) -> Iterator[coordination.InboxItem]:
    free = [one for one in found if not one.held_by]
    for one in free:
        waits = one.state == pb.Subject.STATE_ERASURE_REQUESTED
        if waits and one.requested_by != here.actor:
            item = _item(service, f"subjects/{one.subject}", one.subject, here)
            item.text = one.requested_by
            item.update_time.CopyFrom(one.request_time)
            item.due_date.CopyFrom(from_date(_last_day(one.request_time)))
            yield item
    count = sum(one.state == pb.Subject.STATE_HELD for one in free)
    if count:
        item = _item(service, "", "--due", here)
        item.text = f"{count} due · {count} 人到期"
        yield item


def _item(service: str, subject: str, what: str, here: Session) -> coordination.InboxItem:
    return coordination.InboxItem(
        department=here.department,
        duty=coordination.InboxItem.DUTY_ERASURE,
        subject=subject,
        title=subject or service,
        command=f"luoshu privacy erase {what} --service {service} --reason …",
    )


def _last_day(asked: Timestamp) -> datetime.date:
    return business_date(asked.ToDatetime(datetime.UTC) + LASTS)
