"""Programmes, calls and applications: every pair of the tables, every bound, every refusal."""

import datetime
from typing import Any

import pytest

from kernel.case import Caller, Role
from kernel.dates import ONE_DAY, from_date, to_date
from kernel.errors import Denied, DomainError, Invalid, NotFound, Refused
from kernel.lifecycle import Lifecycle
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from services.funding.domain import APPLICATION, CALL, PROGRAMME
from services.funding.money import awarded, remaining
from services.funding.store import FUNDING
from tests.unit.fake_case import TODAY, checked, copied, states
from tests.unit.funding_world import (
    BREAKTHROUGH,
    CALL_NAME,
    CALLERS,
    FEN,
    OTHER_UNIT,
    PATH,
    PLATFORM,
    PROGRAMME_NAME,
    THIRD_UNIT,
    UNIT,
    YEAR,
    A,
    C,
    P,
    World,
    application,
    call,
    day,
    programme,
    small_pack,
    unit,
    world,
)

NAME = "applications/a1"
NOTICE_END = TODAY + ONE_DAY * 7  # five working days after a Monday

# The tables once more, by state: what may be done there.
CHANGES = "change_person change_unit change_end_date change_budget"
ENDS = "terminate revoke"
JUDGED = "withdraw request_completion reject"
ALLOWED = {
    PROGRAMME: {
        "DRAFT": "update activate",
        "ACTIVE": "set_ceiling suspend close",
        "SUSPENDED": "set_ceiling resume close",
        "CLOSED": "",
    },
    CALL: {
        "DRAFT": "update publish",
        "PUBLISHED": "extend close cancel",
        "CLOSED": "",
        "CANCELLED": "",
    },
    APPLICATION: {
        "DRAFT": "update submit withdraw",
        "SUBMITTED": "recommend request_completion withdraw",
        "RETURNED": "update submit withdraw refuse",
        "RECOMMENDED": "accept refuse request_completion withdraw",
        "ACCEPTED": f"check_form {JUDGED}",
        "REFUSED": "",
        "FORMALLY_CHECKED": f"check_duplicates {JUDGED}",
        "DUPLICATES_CHECKED": f"record_expert_review {JUDGED}",
        "EXPERT_REVIEWED": f"open_joint_review publish_notice {JUDGED}",
        "IN_JOINT_REVIEW": "conclude_joint_review",
        "JOINTLY_REVIEWED": f"publish_notice {JUDGED}",
        "IN_PUBLIC_NOTICE": "record_objection resolve_objection approve request_completion reject",
        "REJECTED": "",
        "WITHDRAWN": "",
        "APPROVED": f"sign_contract {ENDS}",
        "CONTRACTED": f"start pay_instalment {ENDS}",
        "IN_PROGRESS": f"pay_instalment record_mid_term submit_for_acceptance {CHANGES} {ENDS}",
        "IN_ACCEPTANCE": f"conclude_acceptance {ENDS}",
        "COMPLETED": "pay_instalment evaluate revoke",
        "ACCEPTANCE_FAILED": f"submit_for_acceptance evaluate {ENDS}",
        "EVALUATED": "pay_instalment close revoke",
        "CLOSED": "revoke",
        "TERMINATED": "recover revoke",
        "REVOKED": "recover",
    },
}
PAIRS = [
    (lifecycle, state, action)
    for lifecycle in ALLOWED
    for state in states(lifecycle)
    for action in lifecycle.actions
]


def refused(kind: type[DomainError], code: str) -> Any:
    """Expect a refusal with a stable code and a text in both languages."""

    def says(error: Any) -> bool:
        return error.code == code and bool(error.en) and bool(error.zh)

    return pytest.raises(kind, check=says)


def path_of(action: str) -> str:
    """Return the step before, on the straight path."""
    return PATH[PATH.index(action) - 1]


# --- the tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("lifecycle", "state", "action"), PAIRS)
def test_a_pair_is_allowed_only_where_the_table_has_it(
    lifecycle: Lifecycle, state: int, action: str
) -> None:
    allowed = ALLOWED[lifecycle][lifecycle.state_name(state).removeprefix("STATE_")].split()
    if action in allowed:
        assert lifecycle.line(state, action).name == action
        return
    with refused(Refused, "STATE_FORBIDS") as refusal:
        lifecycle.line(state, action)
    assert all(name in refusal.value.en for name in allowed)


def test_every_action_has_its_rpc_and_every_rpc_its_code() -> None:
    methods = {method.name for method in FUNDING.contract.methods}
    actions = {
        "".join(word.capitalize() for word in action.split("_")) + resource.noun
        for resource in FUNDING.resources
        for action in resource.lifecycle.actions
    }
    common = {
        name.format(noun=r.noun, plural=r.plural)
        for r in FUNDING.resources
        for name in (
            "Create{noun}",
            "Get{noun}",
            "List{plural}",
            "BatchCreate{plural}",
            "Import{plural}",
            "Watch{plural}",
            "List{noun}Revisions",
        )
    }
    assert methods == actions | common


def test_the_straight_path_leads_from_the_draft_to_the_end() -> None:
    done = world().walk(NAME, "close")
    assert done.state == A.STATE_CLOSED
    assert done.approval.award_number == f"SP-{YEAR}-0001"
    assert done.paid_fen == FEN - FEN // 4
    assert done.released_fen == FEN // 4


# --- programmes ---------------------------------------------------------------------------------


def new_programme(caller: Caller = CALLERS[Role.CASE_OFFICER], **more: Any) -> pb.Programme:
    given = programme(lead_department="", funding_source="", **more)
    new: pb.Programme = checked(PROGRAMME, given, World().case(caller))
    return new


def test_the_pack_says_who_leads_a_programme_and_who_pays() -> None:
    new = new_programme()
    assert (new.lead_department, new.funding_source) == ("DST", "provincial")


def test_a_programme_outside_the_pack_is_led_by_the_callers_department() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    assert new_programme(other, policy="").lead_department == "DIIT"


def test_a_department_cannot_register_another_ones_programme() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    with refused(Invalid, "NOT_THE_LEAD"):
        new_programme(other)


def test_a_year_has_one_ceiling() -> None:
    twice = [pb.Ceiling(year=YEAR, ceiling_fen=1), pb.Ceiling(year=YEAR, ceiling_fen=2)]
    with refused(Invalid, "YEAR_TWICE"):
        new_programme(ceilings=twice)


def test_a_programme_without_ceiling_cannot_be_activated() -> None:
    draft = programme(state=P.STATE_DRAFT, ceilings=[])
    with refused(Invalid, "REQUIRED"):
        World().put(draft).do(PROGRAMME_NAME, "activate")


def test_the_author_of_a_programme_cannot_activate_it() -> None:
    draft = programme(state=P.STATE_DRAFT, author=CALLERS[Role.APPROVER].actor)
    with refused(Denied, "FOUR_EYES"):
        World().put(draft).do(PROGRAMME_NAME, "activate")


def test_a_funding_source_is_one_of_the_packs() -> None:
    there = World()
    with pytest.raises(Invalid) as refusal:
        checked(PROGRAMME, programme(funding_source="lottery"), there.case())
    assert refusal.value.field == "funding_source"


def test_a_ceiling_may_fall_to_what_is_committed_and_no_lower() -> None:
    there = world()
    there.walk(NAME, "approve")
    with refused(Refused, "BELOW_COMMITTED"):
        there.do(PROGRAMME_NAME, "set_ceiling", ceiling_fen=FEN - 1)
    changed = there.do(PROGRAMME_NAME, "set_ceiling", ceiling_fen=FEN)
    assert [(c.year, c.ceiling_fen) for c in changed.ceilings] == [(YEAR, FEN)]
    assert changed.ceilings[0].document_number


def test_a_programme_closes_only_when_nothing_is_owed() -> None:
    there = world()
    there.walk(NAME, "pay_instalment")
    with refused(Refused, "COMMITMENTS_OPEN"):
        there.do(PROGRAMME_NAME, "close")
    there.do(NAME, "terminate")
    assert there.do(PROGRAMME_NAME, "close").state == P.STATE_CLOSED


def test_a_suspended_programme_publishes_and_awards_nothing_but_pays_on() -> None:
    there = world().put(application(2), call(name="calls/next", state=C.STATE_DRAFT))
    there.walk(NAME, "sign_contract")
    there.today = TODAY
    there.walk("applications/a2", "publish_notice")
    there.do(PROGRAMME_NAME, "suspend")
    there.today += ONE_DAY * 8
    with refused(Refused, "PROGRAMME_NOT_ACTIVE"):
        there.do("calls/next", "publish")
    with refused(Refused, "PROGRAMME_NOT_ACTIVE"):
        there.do("applications/a2", "approve")
    assert there.do(NAME, "pay_instalment").paid_fen
    there.do(PROGRAMME_NAME, "resume")
    assert there.do("applications/a2", "approve").approved_fen == FEN


# --- calls --------------------------------------------------------------------------------------


def draft_call(**more: Any) -> World:
    return World().put(programme(), call(state=C.STATE_DRAFT, **more))


def test_a_window_cannot_end_before_it_begins() -> None:
    there = draft_call()
    with refused(Invalid, "DATES_REVERSED"):
        checked(CALL, call(close_date=day(-11)), there.case())


def test_a_consortium_cannot_be_at_least_more_than_at_most() -> None:
    with refused(Invalid, "CONSORTIUM_BOUNDS"):
        checked(CALL, call(consortium_min=4, consortium_max=3), draft_call().case())


def test_a_call_belongs_to_its_programmes_department() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.CASE_OFFICER}))
    with refused(Invalid, "NOT_THE_LEAD"):
        checked(CALL, call(), draft_call().case(other))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"close_date": day(-1)}, "WINDOW_OVER"),
        ({"year": YEAR + 1}, "CEILING_EXCEEDED"),
        ({"max_award_fen": 1_000_000_001}, "CEILING_EXCEEDED"),
    ],
)
def test_a_call_is_not_published_when_nobody_could_win(more: dict[str, Any], code: str) -> None:
    with refused(Refused, code):
        draft_call(**more).do(CALL_NAME, "publish")


def test_a_published_call_has_its_document_and_its_day() -> None:
    published = draft_call().do(CALL_NAME, "publish")
    assert (published.document_number, published.publish_date) == ("豫科〔2026〕1号", day(0))


def test_a_window_is_extended_from_its_last_day_on() -> None:
    there = world()
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(CALL_NAME, "extend", close_date=day(30))
    longer = there.do(CALL_NAME, "extend", close_date=day(31))
    assert longer.close_date == day(31)
    assert [(e.before, e.after) for e in longer.extensions] == [(day(30), day(31))]


def test_a_call_closes_only_after_its_last_day() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    with refused(Refused, "WINDOW_OPEN"):
        there.do(CALL_NAME, "close")
    there.today += ONE_DAY
    assert there.do(CALL_NAME, "close").state == C.STATE_CLOSED


def test_a_call_needs_its_window() -> None:
    with refused(Invalid, "REQUIRED"):
        checked(CALL, call(open_date=None), draft_call().case())


def test_a_cancelled_call_takes_no_applications() -> None:
    there = world()
    assert there.do(CALL_NAME, "cancel").cancel_reason
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")


# --- applications: entry ------------------------------------------------------------------------


def entered(**more: Any) -> pb.Application:
    given = application(programme="", year=0, lead_department="", currency="", **more)
    new: pb.Application = checked(APPLICATION, given, world().case(CALLERS[Role.APPLICANT]))
    return new


def test_an_application_takes_programme_year_and_lead_from_its_call() -> None:
    new = entered()
    assert (new.programme, new.year, new.lead_department) == (PROGRAMME_NAME, YEAR, "DST")
    assert new.currency == "CNY"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"call": ""}, "REQUIRED"),
        ({"title": " "}, "REQUIRED"),
        ({"end_date": day(59)}, "DATES_REVERSED"),
        ({"applicant_unit": unit(OTHER_UNIT)}, "NOT_THE_UNIT"),
        ({"consortium": [unit("914403001922038217")]}, "CREDIT_CODE_INVALID"),
        ({"consortium": [unit(), unit()]}, "UNIT_TWICE"),
        ({"consortium": [unit(UNIT)]}, "UNIT_TWICE"),
    ],
)
def test_a_wrong_application_is_not_entered(more: dict[str, Any], code: str) -> None:
    with refused(Invalid, code):
        entered(**more)


def test_only_imported_rows_have_another_currency() -> None:
    foreign = application(currency="USD")
    with refused(Invalid, "CURRENCY"):
        checked(APPLICATION, foreign, world().case())


def test_nobody_applies_to_a_call_that_is_not_published() -> None:
    there = world().put(call(state=C.STATE_DRAFT))
    with refused(Refused, "CALL_NOT_OPEN"):
        checked(APPLICATION, application(), there.case())


def test_an_application_stays_with_its_call() -> None:
    there = world().put(call(name="calls/other"), application(revision=1))
    moved = application(revision=1, call="calls/other")
    with refused(Invalid, "IMMUTABLE"):
        checked(APPLICATION, moved, there.case())


# --- applications: submission -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "open_"), [(-11, False), (-10, True), (0, True), (30, True), (31, False)]
)
def test_the_window_holds_from_its_first_to_the_end_of_its_last_day(
    offset: int, open_: bool
) -> None:
    there = world(today=TODAY + ONE_DAY * offset)
    if open_:
        submitted = there.do(NAME, "submit")
        assert submitted.submit_date == day(offset)
        assert list(submitted.concerned_departments) == ["410100"]
        return
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")


@pytest.mark.parametrize(
    "lacking",
    [
        {"abstract": ""},
        {"recommending_unit": ""},
        {"requested_fen": 0},
        {"budget": []},
        {"start_date": None},
        {"end_date": None},
        {"principal_investigator": None},
    ],
)
def test_a_submission_that_lacks_something_is_refused(lacking: dict[str, Any]) -> None:
    there = world().put(application(**lacking))
    with refused(Invalid, "REQUIRED") as refusal:
        there.do(NAME, "submit")
    assert refusal.value.field in lacking


def test_the_budget_sums_to_what_is_asked_for() -> None:
    lines = [pb.BudgetLine(category="设备费", amount_fen=FEN - 1)]
    with refused(Invalid, "SUM_DIFFERS"):
        world().put(application(budget=lines)).do(NAME, "submit")


@pytest.mark.parametrize(("most", "fits"), [(FEN, True), (FEN - 1, False), (0, True)])
def test_a_call_gives_no_more_than_its_most(most: int, fits: bool) -> None:
    there = world().put(call(max_award_fen=most))
    if fits:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "OVER_THE_MOST"):
        there.do(NAME, "submit")


@pytest.mark.parametrize(("members", "fits"), [(0, False), (1, True), (2, True), (3, False)])
def test_the_consortium_has_the_size_that_the_call_wants(members: int, fits: bool) -> None:
    codes = (OTHER_UNIT, THIRD_UNIT, "91110108551385082Q")
    there = world().put(
        call(consortium_min=2, consortium_max=3),
        application(consortium=[unit(code) for code in codes[:members]]),
    )
    if fits:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "CONSORTIUM_SIZE"):
        there.do(NAME, "submit")


def test_a_topic_is_one_of_the_calls() -> None:
    there = world().put(call(topics=["电池"]), application(topic="芯片"))
    with refused(Invalid, "TOPIC_UNKNOWN"):
        there.do(NAME, "submit")


@pytest.mark.parametrize("field", ["platforms", "breakthroughs"])
def test_a_reference_to_nothing_is_refused_with_its_place(field: str) -> None:
    names = {"platforms": [PLATFORM, "platforms/none"], "breakthroughs": [BREAKTHROUGH, "x/none"]}
    more: dict[str, Any] = {field: names[field]}
    with pytest.raises(NotFound) as refusal:
        world().put(application(**more)).do(NAME, "submit")
    assert refusal.value.field == f"{field}[1]"


def test_references_that_exist_are_submitted() -> None:
    both: dict[str, Any] = {"platforms": [PLATFORM], "breakthroughs": [BREAKTHROUGH]}
    assert world().put(application(**both)).do(NAME, "submit").state == A.STATE_SUBMITTED


@pytest.mark.parametrize(
    ("state", "continues"), [(A.STATE_CLOSED, True), (A.STATE_SUBMITTED, False)]
)
def test_only_an_earlier_award_can_be_continued(state: Any, continues: bool) -> None:
    there = world().put(application(2, state=state), application(predecessor="applications/a2"))
    if continues:
        assert there.do(NAME, "submit").state == A.STATE_SUBMITTED
        return
    with refused(Refused, "PREDECESSOR_NOT_AWARDED"):
        there.do(NAME, "submit")


def test_an_application_is_not_its_own_predecessor() -> None:
    with refused(Refused, "PREDECESSOR_NOT_AWARDED"):
        world().put(application(predecessor=NAME)).do(NAME, "submit")


def test_what_is_sent_back_may_be_resubmitted_after_the_window() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    there.walk(NAME, "recommend")
    asked = there.do(NAME, "request_completion")
    last = to_date(asked.completion.complete_by)
    assert last == datetime.date(2026, 4, 22)  # five working days after Wednesday the 15th
    there.today = last
    again = there.do(NAME, "submit")
    assert not again.HasField("completion")
    assert not again.HasField("recommendation")


def test_a_resubmission_comes_too_late_the_day_after() -> None:
    there = world(today=TODAY + ONE_DAY * 30)
    there.walk(NAME, "submit")
    there.do(NAME, "request_completion", complete_by=day(40))
    with refused(Refused, "COMPLETION_RUNNING"):
        there.do(NAME, "refuse")
    there.today = TODAY + ONE_DAY * 41
    with refused(Refused, "CALL_NOT_OPEN"):
        there.do(NAME, "submit")
    assert there.do(NAME, "refuse").state == A.STATE_REFUSED


def test_nobody_is_asked_to_complete_it_by_yesterday() -> None:
    there = world()
    there.walk(NAME, "submit")
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(NAME, "request_completion", complete_by=day(-1))


def test_a_pack_without_the_rule_gives_until_the_day_is_over() -> None:
    there = world(pack=small_pack(rules=()))
    there.walk(NAME, "submit")
    assert there.do(NAME, "request_completion").completion.complete_by == day(0)


def test_what_is_sent_back_within_the_window_is_not_refused() -> None:
    there = world()
    there.walk(NAME, "submit")
    there.do(NAME, "request_completion", complete_by=day(0))
    there.today += ONE_DAY
    with refused(Refused, "COMPLETION_RUNNING"):
        there.do(NAME, "refuse")


def test_a_predecessor_that_is_not_here_is_refused_with_its_place() -> None:
    with pytest.raises(NotFound) as refusal:
        world().put(application(predecessor="applications/none")).do(NAME, "submit")
    assert refusal.value.field == "predecessor"


@pytest.mark.parametrize(
    ("last", "action", "state"),
    [
        ("submit", "withdraw", A.STATE_WITHDRAWN),
        ("record_expert_review", "reject", A.STATE_REJECTED),
        ("recommend", "refuse", A.STATE_REFUSED),
    ],
)
def test_an_end_says_why_when_and_by_whom(last: str, action: str, state: Any) -> None:
    there = world()
    there.walk(NAME, last)
    ended = there.do(NAME, action)
    assert ended.state == state
    assert (ended.ending.reason, ended.ending.date) == ("依据会议纪要", day(0))
    assert ended.ending.decided_by


def test_only_the_recommending_unit_recommends() -> None:
    there = world()
    there.walk(NAME, "submit")
    other = Caller("accounts/x", "410300", frozenset({Role.RECOMMENDER}))
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        there.do(NAME, "recommend", other)
    assert there.do(NAME, "recommend", opinion="同意").recommendation.unit == "410100"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("check_form", {"result": pb.CHECK_RESULT_FAILED, "findings": "缺章"}),
        ("check_duplicates", {"result": pb.DUPLICATE_RESULT_DUPLICATE}),
        ("record_expert_review", {"recommended": False}),
    ],
)
def test_a_check_that_fails_ends_the_application(action: str, said: dict[str, Any]) -> None:
    there = world()
    there.walk(NAME, path_of(action))
    ended = there.do(NAME, action, **said)
    assert ended.state == A.STATE_REJECTED
    assert ended.ending.reason


def test_a_formal_check_that_fails_says_why() -> None:
    there = world()
    there.walk(NAME, "accept")
    with refused(Invalid, "REQUIRED"):
        there.do(NAME, "check_form", result=pb.CHECK_RESULT_FAILED)


def test_a_continuation_must_have_been_declared() -> None:
    there = world()
    there.walk(NAME, "check_form")
    with refused(Refused, "CONTINUATION_UNDECLARED"):
        there.do(NAME, "check_duplicates", result=pb.DUPLICATE_RESULT_CONTINUATION)


# --- joint review and public notice -------------------------------------------------------------


def test_a_joint_review_asks_the_packs_departments_but_not_the_lead() -> None:
    opened = world().walk(NAME, "open_joint_review")
    assert list(opened.joint_review.departments) == ["FINANCE"]
    assert list(opened.concerned_departments) == ["410100", "FINANCE"]


def test_a_programmes_own_departments_come_before_the_packs() -> None:
    there = world().put(programme(joint_review_departments=["DIIT", "DRC"]))
    opened = there.walk(NAME, "open_joint_review")
    assert list(opened.joint_review.departments) == ["DIIT", "DRC"]


def test_without_departments_there_is_no_joint_review_to_open() -> None:
    there = world().put(programme(joint_review_waived=True))
    there.walk(NAME, "record_expert_review")
    with refused(Refused, "NO_JOINT_REVIEW"):
        there.do(NAME, "open_joint_review")
    assert there.do(NAME, "publish_notice").state == A.STATE_IN_PUBLIC_NOTICE


@pytest.mark.parametrize("outcome", ["OBJECTED", "WITHDRAWN"])
def test_a_review_that_does_not_agree_leads_back_and_not_around(outcome: str) -> None:
    there = world()
    there.walk(NAME, "open_joint_review")
    value = pb.JointReviewOutcome.Value(f"JOINT_REVIEW_OUTCOME_{outcome}")
    back = there.do(NAME, "conclude_joint_review", outcome=value, conditions="重复")
    assert back.state == A.STATE_EXPERT_REVIEWED
    assert back.joint_review.conditions == "重复"
    with refused(Refused, "JOINT_REVIEW_MISSING"):
        there.do(NAME, "publish_notice")
    assert there.do(NAME, "open_joint_review").joint_review.round == 2


def test_only_the_system_concludes_a_joint_review() -> None:
    there = world()
    there.walk(NAME, "open_joint_review")
    with refused(Denied, "ROLE_MISSING"):
        there.do(NAME, "conclude_joint_review", CALLERS[Role.CASE_OFFICER])


def test_a_notice_takes_its_length_from_the_pack() -> None:
    notice = world().walk(NAME, "publish_notice").public_notice
    assert (notice.days, notice.day_kind) == (5, pb.DAY_KIND_WORKING)
    assert to_date(notice.end_date) == NOTICE_END


def test_a_notice_of_calendar_days_counts_all_days() -> None:
    there = world()
    there.walk(NAME, "conclude_joint_review")
    said: dict[str, Any] = {"days": 4, "day_kind": pb.DAY_KIND_CALENDAR}
    assert there.do(NAME, "publish_notice", **said).public_notice.end_date == day(4)


@pytest.mark.parametrize(
    ("said", "code"), [({"start_date": day(-1)}, "DATE_TOO_EARLY"), ({"days": 4}, "REQUIRED")]
)
def test_a_notice_that_nobody_could_count_is_not_published(said: dict[str, Any], code: str) -> None:
    there = world()
    there.walk(NAME, "conclude_joint_review")
    with refused(Invalid, code):
        there.do(NAME, "publish_notice", **said)


@pytest.mark.parametrize(("resolved", "upheld"), [(False, False), (True, True), (True, False)])
def test_an_objection_stands_until_it_is_found_wrong(resolved: bool, upheld: bool) -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.do(NAME, "record_objection")
    if resolved:
        there.do(NAME, "resolve_objection", upheld=upheld)
    there.today += ONE_DAY * 8
    if resolved and not upheld:
        assert there.do(NAME, "approve").state == A.STATE_APPROVED
        return
    with refused(Refused, "OBJECTION_STANDS"):
        there.do(NAME, "approve")


def test_an_objection_is_resolved_once_and_only_if_it_exists() -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.do(NAME, "record_objection")
    with refused(NotFound, "NOT_FOUND"):
        there.do(NAME, "resolve_objection", number=2)
    there.do(NAME, "resolve_objection")
    with refused(Refused, "OBJECTION_RESOLVED"):
        there.do(NAME, "resolve_objection")


def test_an_objection_after_the_notice_comes_too_late() -> None:
    there = world()
    there.walk(NAME, "publish_notice")
    there.today = NOTICE_END + ONE_DAY
    with refused(Invalid, "OUTSIDE_NOTICE"):
        there.do(NAME, "record_objection")


# --- approval -----------------------------------------------------------------------------------


def noticed(*more: Any, **changes: Any) -> World:
    """Return a world in which the notices of its applications are over."""
    there = world(**changes).put(*more)
    names = [name for name in there.records if name.startswith("applications/")]
    for name in names:
        there.walk(name, "publish_notice")
    there.today = NOTICE_END + ONE_DAY
    return there


def test_an_award_waits_until_the_notices_last_day_is_over() -> None:
    there = noticed()
    there.today = NOTICE_END
    with refused(Refused, "NOTICE_RUNNING"):
        there.do(NAME, "approve")
    there.today += ONE_DAY
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


@pytest.mark.parametrize(("fen", "fits"), [(FEN, True), (FEN + 1, False), (1, True)])
def test_an_award_is_no_more_than_was_asked_for(fen: int, fits: bool) -> None:
    there = noticed()
    if fits:
        assert there.do(NAME, "approve", approved_fen=fen).approved_fen == fen
        return
    with refused(Refused, "OVER_THE_MOST"):
        there.do(NAME, "approve", approved_fen=fen)


@pytest.mark.parametrize(("ceiling", "fits"), [(FEN, True), (FEN - 1, False)])
def test_an_award_fits_the_ceiling_to_the_last_fen(ceiling: int, fits: bool) -> None:
    there = noticed(programme(ceilings=[pb.Ceiling(year=YEAR, ceiling_fen=ceiling)]))
    if fits:
        there.do(NAME, "approve")
        assert there.records[PROGRAMME_NAME].commitments[0].committed_fen == FEN
        return
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do(NAME, "approve")
    assert not there.records[PROGRAMME_NAME].commitments
    assert not there.records[NAME].approved_fen


def test_two_awards_share_one_ceiling() -> None:
    ceiling = pb.Ceiling(year=YEAR, ceiling_fen=2 * FEN - 1)
    there = noticed(programme(ceilings=[ceiling]), application(2))
    there.do(NAME, "approve")
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do("applications/a2", "approve")
    second = there.do("applications/a2", "approve", approved_fen=FEN - 1)
    assert second.approval.award_number == f"SP-{YEAR}-0002"
    assert there.records[PROGRAMME_NAME].commitments[0].committed_fen == 2 * FEN - 1


def test_another_years_ceiling_does_not_help() -> None:
    there = noticed(programme(ceilings=[pb.Ceiling(year=YEAR + 1, ceiling_fen=2 * FEN)]))
    with refused(Refused, "CEILING_EXCEEDED"):
        there.do(NAME, "approve")


def test_a_released_commitment_can_be_awarded_again() -> None:
    ceiling = pb.Ceiling(year=YEAR, ceiling_fen=FEN)
    there = noticed(programme(ceilings=[ceiling]), application(2))
    there.do(NAME, "approve")
    there.do(NAME, "terminate")
    assert there.do("applications/a2", "approve").approved_fen == FEN


def test_the_author_cannot_approve() -> None:
    there = noticed()
    author = Caller(there.records[NAME].author, "DST", frozenset({Role.APPROVER}))
    with refused(Denied, "FOUR_EYES"):
        there.do(NAME, "approve", author)


@pytest.mark.parametrize("role", [Role.CASE_OFFICER, Role.EXPERT_REVIEWER])
def test_whoever_checked_cannot_approve(role: Role) -> None:
    there = world()
    there.walk(NAME, "check_duplicates")
    there.do(NAME, "record_expert_review", CALLERS[role])
    for action in ("open_joint_review", "conclude_joint_review", "publish_notice"):
        there.do(NAME, action)
    there.today = NOTICE_END + ONE_DAY
    both = Caller(CALLERS[role].actor, "DST", frozenset({role, Role.APPROVER}))
    with refused(Denied, "FOUR_EYES"):
        there.do(NAME, "approve", both)


def test_another_departments_approver_cannot_approve() -> None:
    other = Caller("accounts/x", "DIIT", frozenset({Role.APPROVER}))
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        noticed().do(NAME, "approve", other)


def second_of_the_same_person(source: str) -> World:
    person = Person(name="pc1:x", subject="ps1-1")
    return noticed(programme(funding_source=source), application(2, principal_investigator=person))


def test_a_person_gets_one_provincial_award_a_year_in_the_order_of_approval() -> None:
    there = second_of_the_same_person("provincial")
    there.do("applications/a2", "approve")
    with refused(Refused, "INVESTIGATOR_LIMIT"):
        there.do(NAME, "approve")
    assert not there.records[NAME].approved_fen


def test_national_money_does_not_count_for_the_provinces_rule() -> None:
    there = second_of_the_same_person("national")
    there.do("applications/a2", "approve")
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


def test_a_pack_without_the_rule_sets_no_limit() -> None:
    there = second_of_the_same_person("provincial")
    there.pack = small_pack(rules=())
    there.do("applications/a2", "approve")
    assert there.do(NAME, "approve").state == A.STATE_APPROVED


# --- contract and payments ----------------------------------------------------------------------


def plan(*amounts: int) -> list[pb.Instalment]:
    return [pb.Instalment(number=n, amount_fen=fen) for n, fen in enumerate(amounts, 1)]


@pytest.mark.parametrize(
    ("instalments", "code"),
    [
        (plan(FEN - 1), "SUM_DIFFERS"),
        (plan(FEN, 1), "SUM_DIFFERS"),
        (plan(FEN, 0), "INSTALMENTS_UNORDERED"),
        ([pb.Instalment(number=2, amount_fen=FEN)], "INSTALMENTS_UNORDERED"),
    ],
)
def test_instalments_are_in_order_and_sum_to_the_award(
    instalments: list[pb.Instalment], code: str
) -> None:
    there = world()
    there.walk(NAME, "approve")
    with refused(Invalid, code):
        there.do(NAME, "sign_contract", instalments=instalments)


def test_a_contract_takes_plans_and_no_payments() -> None:
    there = world()
    there.walk(NAME, "approve")
    paid = pb.Instalment(number=1, amount_fen=FEN, paid_fen=FEN, voucher="V", released_fen=1)
    signed = there.do(NAME, "sign_contract", instalments=[paid])
    assert signed.instalments[0] == pb.Instalment(number=1, amount_fen=FEN)
    assert remaining(signed) == FEN


def test_a_smaller_award_needs_its_own_budget() -> None:
    there = noticed()
    there.do(NAME, "approve", approved_fen=FEN // 2)
    with refused(Invalid, "SUM_DIFFERS"):
        there.do(NAME, "sign_contract", instalments=plan(FEN // 2))
    lines = [pb.BudgetLine(category="设备费", amount_fen=FEN // 2)]
    signed = there.do(NAME, "sign_contract", instalments=plan(FEN // 2), budget=lines)
    assert signed.state == A.STATE_CONTRACTED


def contracted() -> World:
    there = world()
    there.walk(NAME, "sign_contract")
    return there


def test_an_instalment_is_paid_to_the_last_fen_and_not_over() -> None:
    there = contracted()
    first = FEN - FEN // 4
    there.do(NAME, "pay_instalment", amount_fen=first - 1)
    with refused(Refused, "OVERPAID"):
        there.do(NAME, "pay_instalment", amount_fen=2, voucher="V-2")
    paid = there.do(NAME, "pay_instalment", amount_fen=1, voucher="V-2")
    assert paid.paid_fen == paid.instalments[0].paid_fen == first
    assert awarded(paid) == paid.paid_fen + remaining(paid) == FEN
    assert there.records[PROGRAMME_NAME].commitments[0].paid_fen == first


def test_a_voucher_pays_once() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=1)
    with refused(Refused, "VOUCHER_USED"):
        there.do(NAME, "pay_instalment", number=2, amount_fen=1)


def test_an_instalment_that_is_not_agreed_is_not_paid() -> None:
    with refused(NotFound, "NOT_FOUND"):
        contracted().do(NAME, "pay_instalment", number=3)


@pytest.mark.parametrize(("offset", "code"), [(9, "DATE_IN_FUTURE"), (7, "DATES_REVERSED")])
def test_a_payment_lies_between_contract_and_today(offset: int, code: str) -> None:
    with refused(Invalid, code):
        contracted().do(NAME, "pay_instalment", paid_date=day(offset))


def test_only_a_finance_officer_pays() -> None:
    with refused(Denied, "ROLE_MISSING"):
        contracted().do(NAME, "pay_instalment", CALLERS[Role.CASE_OFFICER])


def test_the_last_instalment_may_follow_the_acceptance() -> None:
    there = world()
    there.walk(NAME, "evaluate")
    paid = there.do(NAME, "pay_instalment", number=2, amount_fen=FEN // 4, voucher="V-2")
    assert paid.state == A.STATE_EVALUATED
    assert there.do(NAME, "close").released_fen == 0


# --- changes ------------------------------------------------------------------------------------


def in_progress(**more: Any) -> World:
    there = world().put(application(**more))
    there.walk(NAME, "sign_contract")
    there.do(NAME, "start")
    return there


def test_a_new_investigator_leaves_the_old_ones_pseudonym_on_record() -> None:
    changed = in_progress().do(NAME, "change_person")
    assert changed.principal_investigator.name == "李四"
    assert changed.changes[0].before == "ps1-1"
    assert changed.changes[0].document_number


def test_a_delay_is_a_later_day() -> None:
    there = in_progress()
    with refused(Invalid, "DATE_TOO_EARLY"):
        there.do(NAME, "change_end_date", end_date=day(800))
    delayed = there.do(NAME, "change_end_date", end_date=day(801))
    assert delayed.end_date == day(801)
    assert delayed.changes[0].kind == pb.CHANGE_KIND_DELAY


def test_a_changed_budget_still_sums_to_the_award() -> None:
    there = in_progress()
    lines = [pb.BudgetLine(category="材料费", amount_fen=FEN + 1)]
    with refused(Invalid, "SUM_DIFFERS"):
        there.do(NAME, "change_budget", budget=lines)
    changed = there.do(NAME, "change_budget")
    assert (changed.changes[0].before, changed.changes[0].after) == (
        "设备费 100,000.00",
        "材料费 100,000.00",
    )


def test_a_unit_joins_is_replaced_and_leaves() -> None:
    there = in_progress()
    there.do(NAME, "change_unit")
    there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=unit(THIRD_UNIT))
    assert [u.code for u in there.records[NAME].consortium] == [THIRD_UNIT]
    alone = there.do(NAME, "change_unit", leaving_code=THIRD_UNIT, unit=None)
    assert not alone.consortium
    assert len(alone.changes) == 3


def test_a_member_that_takes_the_lead_owns_the_record_and_is_no_member_besides() -> None:
    there = in_progress(consortium=[unit()])
    changed = there.do(NAME, "change_unit", leaving_code=UNIT, unit=unit())
    assert changed.applicant_unit.code == changed.owner_unit == OTHER_UNIT
    assert not changed.consortium


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"leaving_code": THIRD_UNIT}, "UNIT_UNKNOWN"),
        ({"leaving_code": "", "unit": None}, "UNIT_UNKNOWN"),
        ({"leaving_code": UNIT, "unit": None}, "REQUIRED"),
        ({"unit": unit(UNIT)}, "UNIT_TWICE"),
    ],
)
def test_a_change_of_units_that_makes_no_sense_is_refused(said: dict[str, Any], code: str) -> None:
    with refused(Invalid, code):
        in_progress().do(NAME, "change_unit", **said)


def test_a_unit_cannot_leave_a_consortium_that_would_be_too_small() -> None:
    there = in_progress(consortium=[unit()])
    there.put(call(consortium_min=2))
    with refused(Refused, "CONSORTIUM_SIZE"):
        there.do(NAME, "change_unit", leaving_code=OTHER_UNIT, unit=None)


def test_a_list_that_is_full_takes_nothing_more() -> None:
    there = in_progress()
    for _ in range(20):
        there.do(NAME, "record_mid_term")
    with refused(Refused, "LIST_FULL"):
        there.do(NAME, "record_mid_term")


# --- the end ------------------------------------------------------------------------------------


def test_a_failed_acceptance_may_be_repeated() -> None:
    there = world()
    there.walk(NAME, "submit_for_acceptance")
    failed = there.do(NAME, "conclude_acceptance", result=pb.CHECK_RESULT_FAILED)
    assert failed.state == A.STATE_ACCEPTANCE_FAILED
    again = there.do(NAME, "submit_for_acceptance")
    assert not again.acceptance.result


def test_a_termination_releases_what_was_not_paid() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=10)
    ended = there.do(NAME, "terminate")
    assert (ended.paid_fen, ended.released_fen, ended.committed_fen) == (10, FEN - 10, 10)
    assert (awarded(ended), remaining(ended)) == (10, 0)
    entry = there.records[PROGRAMME_NAME].commitments[0]
    assert (entry.committed_fen, entry.paid_fen) == (10, 10)


def test_no_more_comes_back_than_was_paid() -> None:
    there = contracted()
    there.do(NAME, "pay_instalment", amount_fen=10)
    there.do(NAME, "revoke")
    there.do(NAME, "recover", amount_fen=9)
    with refused(Refused, "OVER_RECOVERED"):
        there.do(NAME, "recover", amount_fen=2)
    whole = there.do(NAME, "recover", amount_fen=1)
    assert whole.recovered_fen == 10
    assert [r.amount_fen for r in whole.recoveries] == [9, 1]
    assert there.records[PROGRAMME_NAME].commitments[0].recovered_fen == 10


def test_a_closed_award_can_still_be_revoked_and_recovered() -> None:
    there = world()
    there.walk(NAME, "close")
    there.do(NAME, "revoke")
    assert there.do(NAME, "recover").recovered_fen == 1


# --- import -------------------------------------------------------------------------------------


def imported(**more: Any) -> pb.Application:
    row = pb.Application(
        name="applications/sbir-4",
        title="Open Interactive Data Analytics",
        applicant_unit=pb.Unit(name="Kitware, Inc.", foreign_id="DUNS:010926207"),
        state=A.STATE_CONTRACTED,
        currency="USD",
        approved_fen=149_998_00,
    )
    row.MergeFrom(pb.Application(**more))
    new: pb.Application = checked(APPLICATION, row, world().case(importing=True))
    return new


def test_a_historical_award_needs_neither_call_nor_code() -> None:
    row = imported()
    assert (row.currency, row.approved_fen, row.committed_fen) == ("USD", 149_998_00, 0)
    assert awarded(row) == row.paid_fen + remaining(row)


def test_a_historical_award_takes_what_its_call_says() -> None:
    row = imported(call=CALL_NAME)
    assert (row.programme, row.year, row.lead_department) == (PROGRAMME_NAME, YEAR, "DST")


def test_a_historical_award_is_paid_without_a_ceiling_here() -> None:
    there = world()
    row = imported(call=CALL_NAME, instalments=plan(149_998_00), lead_department="DST")
    paid = there.put(row).do(row.name, "pay_instalment", amount_fen=5)
    assert paid.paid_fen == 5
    assert not there.records[PROGRAMME_NAME].commitments


def test_a_historical_row_without_a_home_goes_no_further_here() -> None:
    row = imported(state=A.STATE_EXPERT_REVIEWED, lead_department="DST")
    with refused(Refused, "NO_HOME"):
        world().put(row).do(row.name, "publish_notice")


@pytest.mark.parametrize(
    "more",
    [
        {"instalments": plan(1)},
        {"instalments": [pb.Instalment(number=1, amount_fen=149_998_00, paid_fen=149_998_01)]},
        {"paid_fen": 149_998_01},
        {"paid_fen": 1, "recovered_fen": 2},
    ],
)
def test_amounts_that_do_not_add_up_are_not_imported(more: dict[str, Any]) -> None:
    with refused(Invalid, "SUM_DIFFERS"):
        imported(**more)


def test_a_wrong_credit_code_is_not_imported() -> None:
    with refused(Invalid, "CREDIT_CODE_INVALID"):
        imported(consortium=[unit("914403001922038217")])


def test_a_historical_programme_is_not_over_its_ceiling() -> None:
    full = programme(commitments=[pb.Commitment(year=YEAR, committed_fen=1_000_000_000)])
    assert checked(PROGRAMME, full, World().case(importing=True)) == full
    over = programme(commitments=[pb.Commitment(year=YEAR, committed_fen=1_000_000_001)])
    with refused(Invalid, "CEILING_EXCEEDED"):
        checked(PROGRAMME, over, World().case(importing=True))


def test_a_refused_action_changes_nothing() -> None:
    there = noticed()
    before = {name: copied(record) for name, record in there.records.items()}
    with pytest.raises(DomainError):
        there.do(NAME, "approve", approved_fen=FEN + 1)
    assert there.records == before
    assert from_date(there.today) == day(8)
