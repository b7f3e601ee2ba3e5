"""The lives of programmes, calls and applications: one move a line, in the order of living."""

from kernel.case import Role
from kernel.lifecycle import Lifecycle, Move, update
from services.funding import (
    application,
    award,
    call,
    change,
    contract,
    ending,
    hold,
    joint_review,
    override,
    payment,
    programme,
    review,
    sanction,
    submission,
    timing,
)
from services.funding.rules import A, C, H, P, S
from services.funding.states import (
    AFTER_REVIEW,
    ENDED,
    HELD_TO_RULES,
    JUDGED,
    PUBLIC,
    RETRACTABLE,
    RUNNING,
    UNDER_CONTRACT,
    UNDER_REVIEW,
)

OFFICER = (Role.CASE_OFFICER,)
APPROVER = (Role.APPROVER,)
OFFICE = (Role.CASE_OFFICER, Role.APPROVER)
APPLICANT = (Role.APPLICANT,)
RECOMMENDER = (Role.RECOMMENDER,)
FINANCE = (Role.FINANCE_OFFICER,)
SYSTEM = (Role.SYSTEM,)
EXPERTS = (Role.EXPERT_REVIEWER, Role.CASE_OFFICER)

PROGRAMME = Lifecycle(
    states=P,
    initial=P.STATE_DRAFT,
    check=programme.check,
    create_by=OFFICER,
    public=frozenset({P.STATE_ACTIVE, P.STATE_SUSPENDED, P.STATE_CLOSED}),
    moves=(
        Move(P.STATE_DRAFT, update, P.STATE_DRAFT, OFFICER),
        Move(P.STATE_DRAFT, programme.activate, P.STATE_ACTIVE, APPROVER, four_eyes=True),
        Move(P.STATE_ACTIVE, programme.set_ceiling, P.STATE_ACTIVE, APPROVER, four_eyes=True),
        Move(P.STATE_SUSPENDED, programme.set_ceiling, P.STATE_SUSPENDED, APPROVER, four_eyes=True),
        Move(P.STATE_ACTIVE, programme.carry_over, P.STATE_ACTIVE, APPROVER, four_eyes=True),
        Move(P.STATE_SUSPENDED, programme.carry_over, P.STATE_SUSPENDED, APPROVER, four_eyes=True),
        Move(P.STATE_ACTIVE, programme.suspend, P.STATE_SUSPENDED, APPROVER),
        Move(P.STATE_SUSPENDED, programme.resume, P.STATE_ACTIVE, APPROVER),
        Move((P.STATE_ACTIVE, P.STATE_SUSPENDED), programme.close, P.STATE_CLOSED, APPROVER),
    ),
)

CALL = Lifecycle(
    states=C,
    initial=C.STATE_DRAFT,
    check=call.check,
    create_by=OFFICER,
    public=frozenset({C.STATE_PUBLISHED, C.STATE_CLOSED, C.STATE_CANCELLED}),
    moves=(
        Move(C.STATE_DRAFT, update, C.STATE_DRAFT, OFFICER),
        Move(C.STATE_DRAFT, call.publish, C.STATE_PUBLISHED, OFFICE),
        Move(C.STATE_PUBLISHED, call.extend, C.STATE_PUBLISHED, OFFICE),
        Move(C.STATE_PUBLISHED, call.close, C.STATE_CLOSED, OFFICE),
        Move(C.STATE_PUBLISHED, call.cancel, C.STATE_CANCELLED, OFFICE),
    ),
)

SANCTION = Lifecycle(
    states=S,
    initial=S.STATE_DRAFT,
    check=sanction.check,
    create_by=OFFICER,
    public=frozenset(),
    moves=(
        Move(S.STATE_DRAFT, update, S.STATE_DRAFT, OFFICER),
        Move(S.STATE_DRAFT, sanction.impose, S.STATE_IMPOSED, APPROVER, four_eyes=True),
        Move(S.STATE_IMPOSED, sanction.lift, S.STATE_LIFTED, APPROVER, four_eyes=True),
    ),
)

HOLD = Lifecycle(
    states=H,
    initial=H.STATE_OPEN,
    check=hold.check,
    create_by=SYSTEM,
    public=frozenset(),
    moves=(
        Move(
            (H.STATE_OPEN, H.STATE_STANDING, H.STATE_RELEASED),
            hold.follow,
            (H.STATE_OPEN, H.STATE_STANDING, H.STATE_RELEASED),
            SYSTEM,
        ),
    ),
)

APPLYING = (
    Move(A.STATE_DRAFT, update, A.STATE_DRAFT, APPLICANT),
    Move(A.STATE_RETURNED, update, A.STATE_RETURNED, APPLICANT),
    Move((A.STATE_DRAFT, A.STATE_RETURNED), submission.submit, A.STATE_SUBMITTED, APPLICANT),
    Move(RETRACTABLE, submission.withdraw, A.STATE_WITHDRAWN, APPLICANT),
    Move(A.STATE_SUBMITTED, submission.recommend, A.STATE_RECOMMENDED, RECOMMENDER),
    Move(A.STATE_SUBMITTED, submission.request_completion, A.STATE_RETURNED, RECOMMENDER),
    # 5 working days to accept or ask for what is missing: Administrative Licensing Law, article 32.
    Move(A.STATE_RECOMMENDED, submission.accept, A.STATE_ACCEPTED, OFFICER, within=5),
    Move(
        (A.STATE_RECOMMENDED, *UNDER_REVIEW),
        submission.request_completion,
        A.STATE_RETURNED,
        OFFICER,
    ),
    Move((A.STATE_RECOMMENDED, A.STATE_RETURNED), submission.refuse, A.STATE_REFUSED, OFFICER),
)

JOINT_REVIEW = (
    Move(A.STATE_EXPERT_REVIEWED, joint_review.open_joint_review, A.STATE_IN_JOINT_REVIEW, OFFICER),
    # The applicant completes while the departments' clocks stand.
    Move(
        A.STATE_IN_JOINT_REVIEW,
        submission.request_completion,
        A.STATE_COMPLETING_IN_REVIEW,
        OFFICER,
    ),
    Move(A.STATE_COMPLETING_IN_REVIEW, update, A.STATE_COMPLETING_IN_REVIEW, APPLICANT),
    Move(A.STATE_COMPLETING_IN_REVIEW, submission.resubmit, A.STATE_IN_JOINT_REVIEW, APPLICANT),
    Move(A.STATE_COMPLETING_IN_REVIEW, timing.end_completion, A.STATE_IN_JOINT_REVIEW, SYSTEM),
    Move(
        A.STATE_IN_JOINT_REVIEW,
        joint_review.conclude_joint_review,
        (A.STATE_JOINTLY_REVIEWED, A.STATE_EXPERT_REVIEWED),
        SYSTEM,
    ),
    # A change after the award was put to the departments that it touches.
    *(Move(state, joint_review.conclude_joint_review, state, SYSTEM) for state in UNDER_CONTRACT),
    *(Move(state, joint_review.ask_again, state, OFFICER) for state in UNDER_CONTRACT),
    *(Move(state, joint_review.follow_conditions, state, SYSTEM) for state in AFTER_REVIEW),
)

REVIEW = (
    Move(
        A.STATE_ACCEPTED,
        review.check_form,
        (A.STATE_FORMALLY_CHECKED, A.STATE_REJECTED),
        OFFICER,
    ),
    Move(
        A.STATE_FORMALLY_CHECKED,
        review.check_duplicates,
        (A.STATE_DUPLICATES_CHECKED, A.STATE_REJECTED),
        OFFICER,
    ),
    Move(
        A.STATE_DUPLICATES_CHECKED,
        review.record_expert_review,
        (A.STATE_EXPERT_REVIEWED, A.STATE_REJECTED),
        EXPERTS,
    ),
    *JOINT_REVIEW,
    Move(
        (A.STATE_EXPERT_REVIEWED, A.STATE_JOINTLY_REVIEWED),
        review.publish_notice,
        A.STATE_IN_PUBLIC_NOTICE,
        OFFICER,
    ),
    Move(A.STATE_IN_PUBLIC_NOTICE, review.record_objection, A.STATE_IN_PUBLIC_NOTICE, OFFICER),
    Move(A.STATE_IN_PUBLIC_NOTICE, review.resolve_objection, A.STATE_IN_PUBLIC_NOTICE, OFFICER),
    Move(A.STATE_IN_PUBLIC_NOTICE, review.follow_comparison, A.STATE_IN_PUBLIC_NOTICE, SYSTEM),
    Move(A.STATE_IN_PUBLIC_NOTICE, timing.close_notice, A.STATE_IN_PUBLIC_NOTICE, SYSTEM),
    Move(A.STATE_IN_PUBLIC_NOTICE, timing.reschedule, A.STATE_IN_PUBLIC_NOTICE, SYSTEM),
    Move(UNDER_REVIEW, review.reject, A.STATE_REJECTED, OFFICER),
)

OVERRIDES = (
    *(Move(state, override.request_override, state, OFFICER) for state in HELD_TO_RULES),
    *(
        Move(
            state,
            override.decide_override,
            state,
            APPROVER,
            four_eyes=True,
            overrides=override.set_aside,
        )
        for state in HELD_TO_RULES
    ),
)

WORK = (
    Move(A.STATE_IN_PUBLIC_NOTICE, award.approve, A.STATE_APPROVED, APPROVER, four_eyes=True),
    Move(A.STATE_APPROVED, contract.sign_contract, A.STATE_CONTRACTED, OFFICER),
    Move(A.STATE_CONTRACTED, contract.start, A.STATE_IN_PROGRESS, OFFICER),
    Move(
        (A.STATE_CONTRACTED, A.STATE_IN_PROGRESS),
        payment.pay_instalment,
        A.STATE_IN_PROGRESS,
        FINANCE,
    ),
    Move(A.STATE_CONTRACTED, contract.record_milestone, A.STATE_CONTRACTED, OFFICER),
    Move(A.STATE_IN_PROGRESS, contract.record_milestone, A.STATE_IN_PROGRESS, OFFICER),
    Move(A.STATE_IN_PROGRESS, contract.record_mid_term, A.STATE_IN_PROGRESS, OFFICER),
    Move(A.STATE_IN_PROGRESS, change.change_person, A.STATE_IN_PROGRESS, OFFICER),
    Move(A.STATE_IN_PROGRESS, change.change_unit, A.STATE_IN_PROGRESS, OFFICER),
    Move(A.STATE_IN_PROGRESS, change.change_end_date, A.STATE_IN_PROGRESS, OFFICER),
    Move(A.STATE_IN_PROGRESS, change.change_budget, A.STATE_IN_PROGRESS, OFFICER),
)

END = (
    Move(
        (A.STATE_IN_PROGRESS, A.STATE_ACCEPTANCE_FAILED),
        ending.submit_for_acceptance,
        A.STATE_IN_ACCEPTANCE,
        APPLICANT,
    ),
    Move(A.STATE_IN_ACCEPTANCE, ending.conclude_acceptance, JUDGED, OFFICER),
    # The last instalment is often due after the acceptance or the evaluation.
    Move(A.STATE_COMPLETED, contract.record_milestone, A.STATE_COMPLETED, OFFICER),
    Move(A.STATE_EVALUATED, contract.record_milestone, A.STATE_EVALUATED, OFFICER),
    Move(A.STATE_COMPLETED, payment.pay_instalment, A.STATE_COMPLETED, FINANCE),
    Move(JUDGED, ending.evaluate, A.STATE_EVALUATED, OFFICER),
    Move(A.STATE_EVALUATED, payment.pay_instalment, A.STATE_EVALUATED, FINANCE),
    Move(A.STATE_EVALUATED, ending.close, A.STATE_CLOSED, OFFICER),
    Move(RUNNING, ending.terminate, A.STATE_TERMINATED, APPROVER, four_eyes=True),
    Move((*RUNNING, *ENDED), ending.revoke, A.STATE_REVOKED, APPROVER, four_eyes=True),
    Move(A.STATE_TERMINATED, ending.recover, A.STATE_TERMINATED, FINANCE),
    Move(A.STATE_REVOKED, ending.recover, A.STATE_REVOKED, FINANCE),
)

APPLICATION = Lifecycle(
    states=A,
    initial=A.STATE_DRAFT,
    check=application.check,
    create_by=APPLICANT,
    public=PUBLIC,
    moves=(*APPLYING, *REVIEW, *OVERRIDES, *WORK, *END),
    deadlines=timing.deadlines,
    outdated=timing.outdated,
    over=frozenset((A.STATE_CLOSED, A.STATE_TERMINATED)),
)
