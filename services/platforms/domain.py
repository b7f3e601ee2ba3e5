"""A platform's life: what is checked on entry, and the table of moves. Pure: no clock, no I/O."""

from kernel.case import Case, Role
from kernel.errors import Invalid
from kernel.lifecycle import Lifecycle, Move, Of, update
from kernel.pack import Kind
from kernel.units import check_code, demand_own, unit_of
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.application import (
    accept,
    complete,
    fail_formal_check,
    pass_formal_check,
    recommend,
    refuse,
    request_completion,
    return_to_applicant,
    submit,
    withdraw,
)
from services.platforms.change import (
    change_supporting_unit,
    classify,
    close,
    merge,
    rename,
    revoke,
    split,
    upgrade,
)
from services.platforms.decision import approve, nurture, put_on_file, recognize
from services.platforms.operation import (
    complete_rectification,
    evaluate,
    extend_construction,
    pass_acceptance,
    start_construction,
    start_operation,
)
from services.platforms.review import (
    conclude_joint_review,
    open_joint_review,
    publish_notice,
    record_expert_review,
    record_objection,
    record_site_visit,
    reject,
    resolve_objection,
)
from services.platforms.rules import (
    CANDIDATE,
    ESTABLISHED,
    UNCLASSIFIED,
    S,
    link_history,
)
from services.platforms.timing import close_notice, deadlines, outdated, reschedule

LEVELS = {
    "provincial": pb.LEVEL_PROVINCIAL,
    "national": pb.LEVEL_NATIONAL,
    "unknown": pb.LEVEL_UNSPECIFIED,
}


def check(platform: pb.Platform, case: Case) -> None:
    """Check what is new, edited or imported; fill what the pack says. Raises Invalid, NotFound."""
    platform.title = platform.title.strip()
    _check_title(platform)
    own = not (case.importing or platform.HasField("origin"))
    if own and not _is_of_office(platform.owner_unit, case):
        _check_applicant(platform)
    _check_units(platform)
    kind = _check_kind(platform, case)
    if own and kind is not None:
        _check_level(platform, kind)
    if platform.recommending_unit:
        platform.recommending_unit = unit_of(platform.recommending_unit, "recommending_unit", case)
    if case.importing:
        link_history(platform, case)
    else:
        _check_place(platform, case)


def _check_title(platform: pb.Platform) -> None:
    if not platform.title:
        raise Invalid(
            "the title is blank; say what the platform is called",
            "平台名称为空；请填写名称",
            field="title",
            reason="REQUIRED",
        )


def _is_of_office(owner: str, case: Case) -> bool:
    return owner in case.pack.departments or owner in case.pack.reporting_units


def _check_applicant(platform: pb.Platform) -> None:
    """A unit applies for itself; a department or a reporting unit may enter what one hands in on paper."""
    platform.supporting_unit_code = platform.supporting_unit_code or platform.owner_unit
    demand_own(platform.supporting_unit_code, platform.owner_unit, "supporting_unit_code")


def _check_units(platform: pb.Platform) -> None:
    """A code may be lacking only where the source has another identifier."""
    may_lack = bool(platform.origin.foreign_id)
    if platform.supporting_unit_code or not may_lack:
        check_code(platform.supporting_unit_code, "supporting_unit_code")
    for index, unit in enumerate(platform.co_building_units):
        if unit.code or not may_lack:
            check_code(unit.code, f"co_building_units[{index}].code")


def _check_kind(platform: pb.Platform, case: Case) -> Kind | None:
    """Return the kind, which says who leads; an unclassified one, which the pack may not have, comes only from elsewhere."""
    unclassified = platform.kind == UNCLASSIFIED
    if unclassified and not (case.importing or platform.origin.foreign_id):
        raise Invalid(
            "unclassified is for imports only; give a kind of the pack",
            "“未分类”仅用于历史数据导入；请填写平台类型",
            field="kind",
            reason="KIND_FOR_IMPORTS",
        )
    if unclassified and UNCLASSIFIED not in case.pack.kinds:
        return None
    # A kind may be younger, in the pack, than the history that is imported.
    day = None if case.importing else case.effective
    kind = case.pack.kind(platform.kind, day, field="kind")
    platform.lead_department = kind.lead
    platform.level = platform.level or LEVELS[kind.level]
    return kind


def _check_level(platform: pb.Platform, kind: Kind) -> None:
    """Applied for is the level of the kind; a platform of history may have risen above it."""
    fits = LEVELS[kind.level]
    if fits and platform.level != fits:
        raise Invalid(
            f"{kind.en} is {pb.Level.Name(fits)}, not {pb.Level.Name(platform.level)}; "
            "clear level, or give another kind",
            f"{kind.zh}的级别为 {pb.Level.Name(fits)}，不是 {pb.Level.Name(platform.level)}；请留空或更换平台类型",
            field="level",
            reason="LEVEL_NOT_OF_KIND",
        )


def _check_place(platform: pb.Platform, case: Case) -> None:
    """Division and direction may wait for the submission, but not be wrong."""
    if platform.division and platform.division not in case.pack.divisions:
        raise Invalid(
            f"{platform.division} is no division of the province; give a GB/T 2260 code",
            f"{platform.division}不是本省行政区划代码；请按GB/T 2260填写，如410100",
            field="division",
            reason="DIVISION_UNKNOWN",
        )
    if platform.direction:
        case.pack.directions.get(platform.direction, on=case.effective, field="direction")


APPLICANT, OFFICER, APPROVER = (Role.APPLICANT,), (Role.CASE_OFFICER,), (Role.APPROVER,)
APPLYING = (Role.APPLICANT, Role.CASE_OFFICER)
EXPERTS = (Role.EXPERT_REVIEWER, Role.CASE_OFFICER)
ENDABLE = (S.STATE_NURTURED, *ESTABLISHED)
SET_UP = (S.STATE_RECOGNIZED, S.STATE_APPROVED, S.STATE_PUT_ON_FILE)
EVALUATED = (S.STATE_OPERATING, S.STATE_IN_RECTIFICATION)
REVISITED = (S.STATE_ACCEPTED, S.STATE_FORMALLY_CHECKED, S.STATE_EXPERT_REVIEWED)
ASKED = (S.STATE_ACCEPTED, S.STATE_FORMALLY_CHECKED, S.STATE_EXPERT_REVIEWED, S.STATE_SITE_VISITED)
ARRIVED = (S.STATE_SUBMITTED, S.STATE_RECOMMENDED)
NOTICED = (*CANDIDATE, S.STATE_IN_PUBLIC_NOTICE)
RETRACTABLE = (
    S.STATE_DRAFT,
    S.STATE_SUBMITTED,
    S.STATE_RETURNED,
    S.STATE_RECOMMENDED,
    S.STATE_COMPLETION_REQUESTED,
    *CANDIDATE,
    S.STATE_IN_JOINT_REVIEW,
)

# One move a line, in the order that a platform lives. Kinds skip steps: the moves past a step are
# here, and the action's rule refuses where the kind demands the step. 5 working days:
# Administrative Licensing Law, article 32.
MOVES = (
    Move(S.STATE_DRAFT, update, S.STATE_DRAFT, by=APPLYING),
    Move(S.STATE_RETURNED, update, S.STATE_RETURNED, by=APPLYING),
    Move(S.STATE_COMPLETION_REQUESTED, update, S.STATE_COMPLETION_REQUESTED, by=APPLICANT),
    Move((S.STATE_DRAFT, S.STATE_RETURNED), submit, S.STATE_SUBMITTED, by=APPLYING),
    Move(S.STATE_SUBMITTED, recommend, S.STATE_RECOMMENDED, by=(Role.RECOMMENDER,)),
    Move(S.STATE_SUBMITTED, return_to_applicant, S.STATE_RETURNED, by=(Role.RECOMMENDER,)),
    Move(ARRIVED, accept, S.STATE_ACCEPTED, by=OFFICER, within=5),
    Move((*ARRIVED, S.STATE_COMPLETION_REQUESTED), refuse, S.STATE_REFUSED, by=OFFICER, within=5),
    Move(
        (*ARRIVED, S.STATE_ACCEPTED, S.STATE_COMPLETION_REQUESTED),
        request_completion,
        S.STATE_COMPLETION_REQUESTED,
        by=OFFICER,
        within=5,
    ),
    Move(S.STATE_COMPLETION_REQUESTED, complete, ARRIVED, by=APPLICANT),
    Move(RETRACTABLE, withdraw, S.STATE_WITHDRAWN, by=APPLICANT),
    Move(S.STATE_ACCEPTED, pass_formal_check, S.STATE_FORMALLY_CHECKED, by=OFFICER),
    Move(S.STATE_ACCEPTED, fail_formal_check, S.STATE_REJECTED, by=OFFICER),
    Move(
        (S.STATE_ACCEPTED, S.STATE_FORMALLY_CHECKED, S.STATE_NURTURED),
        record_expert_review,
        (S.STATE_EXPERT_REVIEWED, S.STATE_REJECTED),
        by=EXPERTS,
    ),
    Move(REVISITED, record_site_visit, (S.STATE_SITE_VISITED, S.STATE_REJECTED), by=EXPERTS),
    Move(ASKED, open_joint_review, S.STATE_IN_JOINT_REVIEW, by=OFFICER),
    Move(
        S.STATE_IN_JOINT_REVIEW,
        conclude_joint_review,
        (
            S.STATE_JOINTLY_REVIEWED,
            S.STATE_REJECTED,
            S.STATE_SITE_VISITED,
            S.STATE_EXPERT_REVIEWED,
            S.STATE_FORMALLY_CHECKED,
        ),
        by=(Role.SYSTEM,),
    ),
    Move(CANDIDATE, publish_notice, S.STATE_IN_PUBLIC_NOTICE, by=OFFICER),
    Move(S.STATE_IN_PUBLIC_NOTICE, record_objection, S.STATE_IN_PUBLIC_NOTICE, by=OFFICER),
    Move(S.STATE_IN_PUBLIC_NOTICE, resolve_objection, S.STATE_IN_PUBLIC_NOTICE, by=OFFICER),
    Move(S.STATE_IN_PUBLIC_NOTICE, close_notice, S.STATE_IN_PUBLIC_NOTICE, by=(Role.SYSTEM,)),
    Move(S.STATE_IN_PUBLIC_NOTICE, reschedule, S.STATE_IN_PUBLIC_NOTICE, by=(Role.SYSTEM,)),
    Move(NOTICED, reject, S.STATE_REJECTED, by=APPROVER),
    Move(NOTICED, nurture, S.STATE_NURTURED, by=APPROVER, four_eyes=True),
    Move(NOTICED, recognize, S.STATE_RECOGNIZED, by=APPROVER, four_eyes=True),
    Move(NOTICED, approve, S.STATE_APPROVED, by=APPROVER, four_eyes=True),
    Move(NOTICED, put_on_file, S.STATE_PUT_ON_FILE, by=APPROVER, four_eyes=True),
    Move(SET_UP, start_construction, S.STATE_UNDER_CONSTRUCTION, by=APPLYING),
    Move(S.STATE_UNDER_CONSTRUCTION, extend_construction, S.STATE_UNDER_CONSTRUCTION, by=APPROVER),
    Move(
        S.STATE_UNDER_CONSTRUCTION, pass_acceptance, S.STATE_OPERATING, by=APPROVER, four_eyes=True
    ),
    Move(SET_UP, start_operation, S.STATE_OPERATING, by=OFFICER),
    Move(
        EVALUATED,
        evaluate,
        (S.STATE_OPERATING, S.STATE_IN_RECTIFICATION, S.STATE_REVOKED),
        by=APPROVER,
        four_eyes=True,
    ),
    Move(S.STATE_IN_RECTIFICATION, complete_rectification, S.STATE_OPERATING, by=OFFICER),
    Move(ESTABLISHED, rename, ESTABLISHED, by=APPROVER),
    Move(ESTABLISHED, change_supporting_unit, ESTABLISHED, by=APPROVER),
    # Nobody leads what is unclassified: the department that leads the kind takes it over.
    Move(ESTABLISHED, classify, ESTABLISHED, by=OFFICER, of=Of.ANY),
    Move(ESTABLISHED, upgrade, S.STATE_UPGRADED, by=APPROVER, four_eyes=True),
    Move(ESTABLISHED, merge, S.STATE_MERGED, by=APPROVER, four_eyes=True),
    Move(ESTABLISHED, split, S.STATE_SPLIT, by=APPROVER, four_eyes=True),
    Move(ENDABLE, close, S.STATE_CLOSED, by=APPROVER),
    Move(ENDABLE, revoke, S.STATE_REVOKED, by=APPROVER, four_eyes=True),
)

LIFECYCLE = Lifecycle(
    states=pb.Platform.State,
    initial=S.STATE_DRAFT,
    check=check,
    create_by=APPLYING,
    public=frozenset(
        {
            *ENDABLE,
            S.STATE_REVOKED,
            S.STATE_UPGRADED,
            S.STATE_MERGED,
            S.STATE_SPLIT,
            S.STATE_CLOSED,
        }
    ),
    moves=MOVES,
    deadlines=deadlines,
    outdated=outdated,
)
