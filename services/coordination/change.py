"""What a change of the subject does to its review: clocks stand, and the opinions that it touches lapse."""

from collections.abc import Collection, Iterable

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import NotFound
from luoshu.coordination.v1 import coordination_pb2 as pb
from services.coordination.agreement import KEPT, keep, open_, restore, shorten
from services.coordination.clock import S, missing, schedule, tidy
from services.coordination.marking import changed, digest_of
from services.coordination.naming import review_name
from services.coordination.opinion import settle

MOST_LAPSES = 40


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
    fields = changed(before.basis, review.basis)
    earlier = {o.department: o for o in before.opinions if not fields & set(o.concerns)}
    stay = [
        o for o in review.opinions if o.department in earlier and _stands(earlier[o.department])
    ]
    for opinion in review.opinions:
        opinion.objected = _objects(earlier.get(opinion.department))
    if len(stay) < len(review.opinions):
        for opinion in stay:
            opinion.CopyFrom(earlier[opinion.department])
            opinion.carried = True
            _carry_conditions(review, before, opinion.department)


def _stands(opinion: pb.Opinion) -> bool:
    return opinion.verdict in KEPT and not opinion.deemed


def _objects(opinion: pb.Opinion | None) -> bool:
    """Tell whether a department objected, and has not said otherwise since."""
    return opinion is not None and (opinion.verdict == pb.VERDICT_OBJECT or opinion.objected)


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
    """Let the clocks go on, with what was completed; no day of the pause counts, its first and last included.

    A review that ended before it heard of the completion goes on as after a change.
    """
    if review.state == S.STATE_PAUSED:
        review.pauses[-1].last_date.CopyFrom(from_date(case.effective))
    _take(review, command.basis, command.basis_revision, case)
    for opinion in filter(missing, review.opinions):
        schedule(opinion, review, case.pack)
    return _stand(review, case)


def revise(review: pb.Review, command: pb.ReviseReviewRequest, case: Case) -> int:
    """Take note of a change: whom it touches is asked again, and so is who had not agreed when the review ended.

    Where it takes back what was not agreed to, the opinions that stood before stand again.
    """
    if command.decided:
        _rebase(review, command.basis, command.basis_revision)
        return int(review.state)
    _take(review, command.basis, command.basis_revision, case)
    return _stand(review, case)


def cancel(review: pb.Review, command: pb.CancelReviewRequest, case: Case) -> None:
    """End a review that has lost its object."""
    review.cancel_reason = command.reason
    review.conclude_date.CopyFrom(from_date(case.effective))
    review.ClearField("owing_departments")


def _stand(review: pb.Review, case: Case) -> int:
    """Return where a review stands after a change; one that it leaves alone keeps its outcome and its day."""
    if review.outcome == pb.OUTCOME_AGREED and not any(map(missing, review.opinions)):
        review.ClearField("agreement")
        tidy(review)
        return S.STATE_CONCLUDED
    review.ClearField("outcome")
    review.ClearField("conclude_date")
    return settle(review, case)


def _take(review: pb.Review, basis: Iterable[pb.FieldMark], revision: int, case: Case) -> None:
    """Go on with the subject as it is now."""
    keep(review)
    ended, before = review.state == S.STATE_CONCLUDED, list(review.basis)
    fields = _rebase(review, basis, revision)
    review.asked_revision = revision
    for opinion in review.opinions:
        touched = fields & set(opinion.concerns)
        if touched or (ended and not _agreed(opinion)):
            if not missing(opinion):
                _lapse(review, opinion, touched, before, case)
            if not restore(review, opinion):
                _ask_again(review, opinion, case)
        elif missing(opinion):
            opinion.basis_revision = revision


def _rebase(review: pb.Review, basis: Iterable[pb.FieldMark], revision: int) -> set[str]:
    """Go on with the subject as it is now. Return the fields that changed."""
    marks = list(basis)
    fields = changed(review.basis, marks)
    review.ClearField("basis")
    review.basis.extend(marks)
    review.basis_revision = revision
    return fields


def _agreed(opinion: pb.Opinion) -> bool:
    """Tell whether an answer, or its being none of the department's business, needs nothing more."""
    return not (missing(opinion) or opinion.silent or opinion.verdict == pb.VERDICT_OBJECT)


def _ask_again(review: pb.Review, opinion: pb.Opinion, case: Case) -> None:
    """Ask anew, with all days, whatever was said or silent before."""
    said = pb.Opinion(department=opinion.department, ask=opinion.ask)
    said.objected = _objected_to_this(review, opinion.department)
    opinion.CopyFrom(said)
    ask(opinion, review, case)


def _objected_to_this(review: pb.Review, department: str) -> bool:
    """Tell whether an objection is the last that a department said of what its fields hold now."""
    said = [
        gone.opinion.verdict
        for gone in review.lapses
        if gone.opinion.department == department
        and gone.digest == digest_of(review.basis, gone.opinion.concerns)
    ]
    return bool(said) and said[-1] == pb.VERDICT_OBJECT


def _lapse(
    review: pb.Review,
    opinion: pb.Opinion,
    touched: Collection[str],
    before: Iterable[pb.FieldMark],
    case: Case,
) -> None:
    """Put a void opinion aside, with its conditions. `before`: what it was about."""
    gone = pb.Lapse(opinion=opinion, date=from_date(case.effective))
    gone.subject_revision = review.basis_revision
    gone.fields.extend(sorted(touched))
    gone.digest = digest_of(before, opinion.concerns)
    shorten(gone.opinion)
    for condition in review.conditions:
        if condition.department == opinion.department and open_(condition):
            condition.lapse_date.CopyFrom(gone.date)
            gone.conditions.append(condition.number)
    kept = [*review.lapses, gone][-MOST_LAPSES:]
    review.ClearField("lapses")
    review.lapses.extend(kept)
