"""What a change of the subject does to its review: clocks stand, and the opinions that it touches lapse."""

from collections.abc import Iterable, Mapping

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import NotFound
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.clock import S, missing, schedule, tidy
from services.coordination.naming import review_name

MOST_LAPSES = 40
MOST_TEXT = (
    200  # characters kept of an opinion that lapsed; the whole is in the revision that gave it
)
KEPT = (pb.VERDICT_AGREE, pb.VERDICT_AGREE_WITH_CONDITIONS)


def ask(opinion: pb.Opinion, review: pb.Review, case: Case) -> None:
    """Ask a department, from today on."""
    fields = [mark.field for mark in review.basis]
    remit = case.pack.remit(opinion.department, case.effective)
    opinion.concerns[:] = [field for field in fields if not remit or field in remit]
    opinion.ask += 1
    opinion.ask_date.CopyFrom(from_date(case.effective))
    opinion.basis_revision = review.basis_revision
    schedule(opinion, review, case.pack)


def carry_over(review: pb.Review, case: Case) -> None:
    """Let consent of the round before stand where nothing that it is about has changed; somebody is asked in any case."""
    try:
        before = case.get(review_name(review.subject, review.round - 1))
    except NotFound:
        return
    changed = _changed(before.basis, review.basis)
    standing = {o.department: o for o in before.opinions if _stands(o, changed)}
    stay = [o for o in review.opinions if o.department in standing]
    if len(stay) < len(review.opinions):
        for opinion in stay:
            opinion.CopyFrom(standing[opinion.department])
            opinion.carried = True
            _carry_conditions(review, before, opinion.department)


def _stands(opinion: pb.Opinion, changed: set[str]) -> bool:
    return opinion.verdict in KEPT and not opinion.deemed and not changed & set(opinion.concerns)


def _carry_conditions(review: pb.Review, before: pb.Review, department: str) -> None:
    for condition in before.conditions:
        if condition.department == department and not condition.HasField("lapse_date"):
            carried = review.conditions.add()
            carried.CopyFrom(condition)
            carried.number = len(review.conditions)


def pause(review: pb.Review, command: pb.PauseReviewRequest, case: Case) -> None:
    """Let the clocks stand while the applicant completes."""
    review.pauses.add(first_date=from_date(case.effective), reason=command.reason)


def resume(review: pb.Review, command: pb.ResumeReviewRequest, case: Case) -> int:
    """Let the clocks go on, with what was completed; no day of the pause counts, its first and last included."""
    review.pauses[-1].last_date.CopyFrom(from_date(case.effective))
    _take(review, command.basis, command.basis_revision, case)
    for opinion in filter(missing, review.opinions):
        schedule(opinion, review, case.pack)
    tidy(review)
    return S.STATE_OPEN


def revise(review: pb.Review, command: pb.ReviseReviewRequest, case: Case) -> int:
    """Take note of a change; a concluded review opens again where it touches an opinion that led to an agreement."""
    concluded = review.state == S.STATE_CONCLUDED
    if concluded and review.outcome != pb.OUTCOME_AGREED:
        return review.state
    if command.decided:
        _rebase(review, command.basis, command.basis_revision)
        return review.state
    lapsed = _take(review, command.basis, command.basis_revision, case)
    if lapsed:
        review.ClearField("outcome")
        review.ClearField("conclude_date")
    tidy(review)
    return S.STATE_OPEN if lapsed else review.state


def cancel(review: pb.Review, command: pb.CancelReviewRequest, case: Case) -> None:
    """End a review that has lost its object."""
    review.cancel_reason = command.reason
    review.conclude_date.CopyFrom(from_date(case.effective))
    review.ClearField("owing_departments")


def _take(
    review: pb.Review, basis: Iterable[pb.FieldMark], revision: int, case: Case
) -> list[pb.Opinion]:
    """Go on with the subject as it is now. Return the opinions that lapsed."""
    changed = _rebase(review, basis, revision)
    touched = [o for o in review.opinions if not missing(o) and changed & set(o.concerns)]
    for opinion in touched:
        _lapse(review, opinion, changed, case)
    for opinion in filter(missing, review.opinions):
        opinion.basis_revision = revision
    return touched


def _rebase(review: pb.Review, basis: Iterable[pb.FieldMark], revision: int) -> set[str]:
    """Go on with the subject as it is now. Return the fields that changed."""
    marks = list(basis)
    changed = _changed(review.basis, marks)
    review.ClearField("basis")
    review.basis.extend(marks)
    review.basis_revision = revision
    return changed


def _changed(before: Iterable[pb.FieldMark], now: Iterable[pb.FieldMark]) -> set[str]:
    old, new = _digests(before), _digests(now)
    return {field for field in old.keys() | new.keys() if old.get(field) != new.get(field)}


def _digests(marks: Iterable[pb.FieldMark]) -> Mapping[str, str]:
    return {mark.field: mark.digest for mark in marks}


def _lapse(review: pb.Review, opinion: pb.Opinion, changed: set[str], case: Case) -> None:
    """Put a void opinion aside, with its conditions, and ask the department again."""
    today = from_date(case.effective)
    lapse = pb.Lapse(opinion=opinion, date=today, subject_revision=review.basis_revision)
    lapse.fields.extend(sorted(changed & set(opinion.concerns)))
    lapse.opinion.text = opinion.text[:MOST_TEXT]
    for field in ("conditions", "reminders"):
        lapse.opinion.ClearField(field)
    kept = [*review.lapses, lapse][-MOST_LAPSES:]
    review.ClearField("lapses")
    review.lapses.extend(kept)
    for condition in review.conditions:
        open_ = not (condition.HasField("confirm_date") or condition.HasField("lapse_date"))
        if condition.department == opinion.department and open_:
            condition.lapse_date.CopyFrom(today)
    opinion.CopyFrom(pb.Opinion(department=opinion.department, ask=opinion.ask))
    ask(opinion, review, case)
