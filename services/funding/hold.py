"""A hold: what a duplicate finding means for the award of the later application of its pair. The system alone writes it."""

from kernel.case import Case
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import H

LAPSED = "LAPSED"
"""What is said where the finding ended undecided."""
FOLLOWED = ("round", "disposition", "deciding_department", "decide_date")
STANDS = {"": H.STATE_OPEN, "DISPOSITION_DUPLICATE": H.STATE_STANDING}
"""What a disposition means; every other one releases the award."""


def check(hold: pb.Hold, case: Case) -> None:
    """Nothing is left to fill in: coordination has said it all."""


def holds_on(application: pb.Application, case: Case) -> list[pb.Hold]:
    """Return the holds on an application's award, by name."""
    found = case.find("holds", {"application": application.name})
    return sorted(found, key=lambda hold: hold.name)


def follow(hold: pb.Hold, command: pb.FollowHoldRequest, case: Case) -> int:
    """Take over what became of the finding: it was decided, lapsed, or raised again with another text."""
    new = pb.Hold()
    new.CopyFrom(command.hold)
    for field in FOLLOWED:
        hold.ClearField(field)  # type: ignore[arg-type]
        if field != "decide_date":
            setattr(hold, field, getattr(new, field))
    if new.HasField("decide_date"):
        hold.decide_date.CopyFrom(new.decide_date)
    if hold.state == H.STATE_STANDING and new.disposition in (*STANDS, LAPSED):
        # Who was found to be the duplicate stays held until a person decides otherwise, whoever's text changes.
        return H.STATE_STANDING
    # Raised again, it may be the other application whose text has changed.
    hold.application, hold.other, hold.title = new.application, new.other, new.title
    hold.lead_department = new.lead_department
    hold.concerned_departments[:] = new.concerned_departments
    return STANDS.get(new.disposition, H.STATE_RELEASED)
