"""What the registries' events mean to coordination: a review follows its subject, from the question to the last change."""

from collections.abc import Sequence
from typing import Any

from kernel.consumer import Reaction, leads_to
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.coordination.marking import marks
from services.coordination.naming import review_name

NAME = "coordination"
IN_REVIEW = "STATE_IN_JOINT_REVIEW"
COMPLETING = "STATE_COMPLETING_IN_REVIEW"
UNDER_REVIEW = (IN_REVIEW, COMPLETING)
LISTED = "STATE_LISTED"
DECIDED = "sign_contract"
"""Carries out what the award decided, so it lapses nothing, unless it asks the departments."""
OVER = ("STATE_TERMINATED", "STATE_REVOKED", "STATE_CLOSED")
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
OF_PLATFORM = (
    "title",
    "kind",
    "direction",
    "sub_field",
    "division",
    "supporting_unit_name",
    "supporting_unit_code",
    "co_building_units",
)
OF_BREAKTHROUGH = (
    "title",
    "abstract",
    "direction",
    "track",
    "target_level",
    "planned_end_date",
    "budget_fen",
)


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
    return leads_to(NAME, entry, action, name, request, given)


def _meaning(event: funding.FundingEvent) -> tuple[str, Any, pb.Review | None] | None:
    """Return action, request and new record."""
    change, application = event.change, event.application
    was, now = change.from_state, change.to_state
    said = f"{change.action}: {change.record}"
    basis, revision = list(marks(application, FIELDS)), application.revision
    if was not in UNDER_REVIEW and now == IN_REVIEW:
        return "create", None, asking(application)
    if was == IN_REVIEW and now == COMPLETING:
        return "pause", pb.PauseReviewRequest(reason=said), None
    if was == COMPLETING and now == IN_REVIEW:
        return "resume", pb.ResumeReviewRequest(basis=basis, basis_revision=revision), None
    if was in UNDER_REVIEW and now not in UNDER_REVIEW and change.action != "conclude_joint_review":
        return "cancel", pb.CancelReviewRequest(reason=said), None
    joint = application.joint_review
    if now in OVER and joint.judged_revision < joint.asked_revision:
        return "cancel", pb.CancelReviewRequest(reason=said), None
    asks = joint.asked_revision == revision
    if (asks and now not in UNDER_REVIEW) or change.action == DECIDED:
        request = pb.ReviseReviewRequest(basis=basis, basis_revision=revision)
        request.reason, request.decided = change.action, not asks
        return "revise", request, None
    return None


def review_of(application: funding.Application) -> str:
    """Return the name of an application's joint review."""
    return review_name(application.name, application.joint_review.round)


def asking(application: funding.Application) -> pb.Review:
    """Return the review to open of an application."""
    joint = application.joint_review
    review = _question(application, FIELDS, joint.departments, joint.round)
    review.kind, review.application = pb.Review.KIND_JOINT_REVIEW, application.name
    review.rule = joint.rule
    return review


def _question(record: Any, fields: Sequence[str], asked: Sequence[str], round_: int) -> pb.Review:
    """Return a review to open: one opinion asked of each department but the lead."""
    departments = sorted(set(asked) - {record.lead_department})
    return pb.Review(
        subject=record.name,
        title=record.title,
        round=round_,
        basis_revision=record.revision,
        basis=marks(record, fields),
        lead_department=record.lead_department,
        concerned_departments=departments,
        opinions=[pb.Opinion(department=department) for department in departments],
    )


def on_platforms(entry: JournalEntry) -> Reaction:
    """Open a platform's joint review, or cancel it when the platform left it otherwise."""
    event = platforms.PlatformsEvent.FromString(entry.event)
    platform, change = event.platform, event.change
    joint = platform.joint_review
    if not joint.round:
        return Reaction()
    name = review_name(platform.name, joint.round)
    if change.from_state != IN_REVIEW == change.to_state:
        review = _question(platform, OF_PLATFORM, joint.departments, joint.round)
        review.kind, review.rule = pb.Review.KIND_JOINT_REVIEW, joint.rule
        return leads_to(NAME, entry, "create", name, None, review)
    left = change.from_state == IN_REVIEW != change.to_state
    if left and change.action != "conclude_joint_review":
        return leads_to(NAME, entry, "cancel", name, pb.CancelReviewRequest(reason=_said(change)))
    return Reaction()


def on_technologies(entry: JournalEntry) -> Reaction:
    """Put a joint publication to the departments, or cancel the question when the technology left the list."""
    event = technologies.TechnologiesEvent.FromString(entry.event)
    breakthrough, change = event.breakthrough, event.change
    publication = breakthrough.publication
    name = review_name(breakthrough.name, publication.round)
    if change.action == "circulate":
        asked = publication.departments
        review = _question(breakthrough, OF_BREAKTHROUGH, asked, publication.round)
        review.kind = pb.Review.KIND_PUBLICATION
        return leads_to(NAME, entry, "create", name, None, review)
    waiting = publication.round and publication.departments and not publication.outcome
    if waiting and change.from_state == LISTED != change.to_state:
        return leads_to(NAME, entry, "cancel", name, pb.CancelReviewRequest(reason=_said(change)))
    return Reaction()


def _said(change: Any) -> str:
    return f"{change.action}: {change.record}"
