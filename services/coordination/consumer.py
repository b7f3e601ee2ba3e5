"""What funding's events mean to coordination: a review follows its application, from the question to the last change."""

import hashlib
from collections.abc import Iterator
from typing import Any

from kernel.consumer import Reaction, command_of
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import JournalEntry
from services.coordination.naming import review_name

IN_REVIEW = "STATE_IN_JOINT_REVIEW"
COMPLETING = "STATE_COMPLETING_IN_REVIEW"
UNDER_REVIEW = (IN_REVIEW, COMPLETING)
DECIDED = frozenset({"sign_contract"})
CHANGES = DECIDED | {"change_person", "change_unit", "change_end_date", "change_budget"}
"""Acts that change an application after its review; those that carry out what the award decided lapse nothing."""
FIELDS = (
    "topic",
    "title",
    "abstract",
    "keywords",
    "applicant_unit",
    "consortium",
    "principal_investigator",
    "platforms",
    "breakthroughs",
    "start_date",
    "end_date",
    "phase",
    "predecessor",
    "requested_fen",
    "budget",
)
"""What of an application departments may be asked about."""


def on_funding(entry: JournalEntry) -> Reaction:
    """Open a review, let its clocks stand or go on, tell it of a change, or cancel it; the rest means nothing here."""
    event = funding.FundingEvent.FromString(entry.event)
    if event.WhichOneof("record") != "application" or not event.application.joint_review.round:
        return Reaction()
    found = _meaning(event)
    if found is None:
        return Reaction()
    action, request, given = found
    name = review_of(event.application)
    return Reaction((command_of("coordination", entry, action, name, request, given),))


def _meaning(event: funding.FundingEvent) -> tuple[str, Any, pb.Review | None] | None:
    """Return action, request and new record."""
    change, application = event.change, event.application
    was, now = change.from_state, change.to_state
    said = f"{change.action}: {change.record}"
    basis, revision = list(marks(application)), application.revision
    if was not in UNDER_REVIEW and now == IN_REVIEW:
        return "create", None, asking(application)
    if was == IN_REVIEW and now == COMPLETING:
        return "pause", pb.PauseReviewRequest(reason=said), None
    if was == COMPLETING and now == IN_REVIEW:
        return "resume", pb.ResumeReviewRequest(basis=basis, basis_revision=revision), None
    if was in UNDER_REVIEW and now not in UNDER_REVIEW and change.action != "conclude_joint_review":
        return "cancel", pb.CancelReviewRequest(reason=said), None
    if change.action in CHANGES:
        request = pb.ReviseReviewRequest(basis=basis, basis_revision=revision)
        request.reason, request.decided = change.action, change.action in DECIDED
        return "revise", request, None
    return None


def review_of(application: funding.Application) -> str:
    """Return the name of an application's joint review."""
    return review_name(application.name, application.joint_review.round)


def asking(application: funding.Application) -> pb.Review:
    """Return the review to open: one opinion asked of each department."""
    departments = sorted(application.joint_review.departments)
    return pb.Review(
        kind=pb.Review.KIND_JOINT_REVIEW,
        subject=application.name,
        application=application.name,
        title=application.title,
        round=application.joint_review.round,
        rule=application.joint_review.rule,
        basis_revision=application.revision,
        basis=marks(application),
        lead_department=application.lead_department,
        concerned_departments=departments,
        opinions=[pb.Opinion(department=department) for department in departments],
    )


def marks(application: funding.Application) -> Iterator[pb.FieldMark]:
    """Tell what the fields hold, without telling it."""
    for field in FIELDS:
        part = funding.Application()
        value = getattr(application, field)
        if field in _PLAIN:
            setattr(part, field, value)
        elif field in _REPEATED:
            getattr(part, field).extend(value)
        elif application.HasField(field):  # type: ignore[arg-type]
            getattr(part, field).CopyFrom(value)
        yield pb.FieldMark(field=field, digest=_digest(part))


_DESCRIPTORS = funding.Application.DESCRIPTOR.fields_by_name
_REPEATED = {field for field in FIELDS if _DESCRIPTORS[field].is_repeated}
_PLAIN = {field for field in FIELDS if not _DESCRIPTORS[field].message_type} - _REPEATED


def _digest(part: funding.Application) -> str:
    said = part.SerializeToString(deterministic=True)
    return hashlib.sha256(said).hexdigest()[:16] if said else ""
