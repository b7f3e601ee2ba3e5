"""What funding's events mean to coordination: a review opens when an application reaches it, and lapses when it leaves."""

import hashlib

from kernel.consumer import Reaction, command_of
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import JournalEntry

IN_REVIEW = "STATE_IN_JOINT_REVIEW"


def on_funding(entry: JournalEntry) -> Reaction:
    """Open a review, or cancel one; everything else means nothing here."""
    event = funding.FundingEvent.FromString(entry.event)
    if event.WhichOneof("record") != "application":
        return Reaction()
    change, application = event.change, event.application
    entered = change.to_state == IN_REVIEW and change.from_state != IN_REVIEW
    left = change.from_state == IN_REVIEW and change.to_state != IN_REVIEW
    if entered:
        return Reaction(
            (
                command_of(
                    "coordination",
                    entry,
                    "create",
                    review_of(application),
                    None,
                    asking(application),
                ),
            )
        )
    if left and change.action != "conclude_joint_review":
        request = pb.CancelReviewRequest(reason=f"{change.action}: {change.record}")
        return Reaction(
            (command_of("coordination", entry, "cancel", review_of(application), request),)
        )
    return Reaction()


def review_of(application: funding.Application) -> str:
    """Return the name of an application's joint review."""
    return review_name(application.name, application.joint_review.round)


def review_name(subject: str, round_: int) -> str:
    """Return the name of a subject's review: the same whoever asks, one a round."""
    said = f"{subject} {round_}".encode()
    return f"reviews/r{hashlib.sha256(said).hexdigest()[:20]}"


def asking(application: funding.Application) -> pb.Review:
    """Return the review to open: one opinion asked of each department."""
    departments = sorted(application.joint_review.departments)
    return pb.Review(
        kind=pb.Review.KIND_JOINT_REVIEW,
        subject=application.name,
        application=application.name,
        title=application.title,
        round=application.joint_review.round,
        lead_department=application.lead_department,
        concerned_departments=departments,
        opinions=[pb.Opinion(department=department) for department in departments],
    )
