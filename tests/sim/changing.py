"""A change after the award: what a department objects to is not paid, however often it is changed, whatever fails."""

import datetime
from functools import cache
from typing import Any

from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.consumer import review_of
from tests.sim.disk import Image, disk
from tests.sim.furnished import reviewed
from tests.sim.people import ASKED, AWARD, DIIT, DIIT_APPROVER, DIIT_MONEY, A
from tests.sim.script import MORNING, OK, Call, Pass, Scenario, Until, call
from tests.sim.world import World

NAME = "applications/a1"
NOTICE = 8  # days, and one more
REVIEW = review_of(funding.Application(name=NAME, joint_review=funding.JointReview(round=1)))
AGREED = funding.JOINT_REVIEW_OUTCOME_AGREED
OBJECTED = funding.JOINT_REVIEW_OUTCOME_OBJECTED


def _budget(first: int) -> list[funding.BudgetLine]:
    line = funding.BudgetLine
    return [
        line(category="设备费", amount_fen=first),
        line(category="业务费", amount_fen=AWARD - first),
    ]


def _act(rpc: str, who: Any, key: str, *expected: str, **said: Any) -> Call:
    return call(f"{rpc}Application", who, key, name=NAME, expected=expected or (OK,), **said)


def _change(first: int) -> Call:
    said = {"budget": _budget(first), "reason": "调整", "document_number": "3号"}
    return _act("ChangeBudget", DIIT, f"change-{first}", **said)


def _try(key: str) -> Call:
    """Ask whether it would be paid; the slower of two clients asks when more has happened."""
    said = {"number": 1, "amount_fen": AWARD, "voucher": f"V-{key}", "validate_only": True}
    later = (OK, "REVIEW_OPEN", "CHANGE_OBJECTED", "OVERPAID")
    return _act("PayInstalment", DIIT_MONEY, f"try-{key}", *later, **said)


def _pay() -> Call:
    return _act("PayInstalment", DIIT_MONEY, "pay", number=1, amount_fen=AWARD, voucher="V-1")


def _opine(department: str, key: str, verdict: str = "AGREE", text: str = "") -> Call:
    said = {"verdict": coordination.Verdict.Value(f"VERDICT_{verdict}"), "text": text}
    return call("OpineReview", ASKED[department], f"{key}-{department}", name=REVIEW, **said)


def _asked(department: str, times: int) -> Until:
    """Wait until a department was asked so many times."""

    def asked(world: World) -> bool:
        review = world.record(REVIEW)
        opinions = review.opinions if review is not None else ()
        return any(o.department == department and o.ask >= times for o in opinions)

    return Until(asked)


def _answered(changes: int) -> Until:
    """Wait until funding has heard what the departments say of so many changes; of none: of the application."""

    def answered(world: World) -> bool:
        application = world.record(NAME)
        heard = sum(bool(change.joint_review_outcome) for change in application.changes)
        return heard >= changes and bool(application.joint_review.outcome)

    return Until(answered)


@cache
def _awarded() -> Image:
    """An award under contract, to which three departments have agreed; played once without faults."""
    instalment = funding.Instalment(number=1, amount_fen=AWARD)
    award = {"document_number": "1号", "approved_fen": AWARD}
    contract = {"number": "1号", "tasks": "研究", "instalments": [instalment]}
    scenario = Scenario(
        "furnish an award",
        ("funding", "coordination"),
        (
            (_act("OpenJointReview", DIIT, "open"),),
            _asked("FINANCE", 1),
            tuple(_opine(department, "first") for department in ASKED),
            _answered(0),
            (_act("PublishNotice", DIIT, "notice"),),
            Pass(NOTICE),
            (_act("Approve", DIIT_APPROVER, "approve", **award),),
            (_act("SignContract", DIIT, "sign", budget=_budget(AWARD), **contract),),
            (_act("Start", DIIT, "start"),),
        ),
        furnished=reviewed,
    )
    World(scenario).run()
    return disk().read()


def _paid_once(world: World) -> None:
    award = world.record(NAME)
    assert award.paid_fen == AWARD, f"I7: {award.paid_fen} fen paid"
    answers = [change.joint_review_outcome for change in award.changes]
    assert answers == [OBJECTED, AGREED], f"the departments' answers are lost: {answers}"
    tried = [
        getattr(world.outcomes[f"try-{t}"], "code", OK) for t in ("early", "objected", "again")
    ]
    assert tried == ["REVIEW_OPEN", "CHANGE_OBJECTED", "REVIEW_OPEN"], f"I7: {tried}"


CHANGE = Scenario(
    "change",
    ("funding", "coordination"),
    (
        (_change(AWARD - 100),),
        (_try("early"),),
        _asked("FINANCE", 2),
        (_opine("FINANCE", "second", "OBJECT", "业务费过高"),),
        _answered(1),
        (_try("objected"),),
        (_change(AWARD - 50),),
        (_try("again"),),
        _asked("FINANCE", 3),
        (_opine("FINANCE", "third"),),
        _answered(2),
        (_pay(),),
    ),
    furnished=_awarded,
    began=MORNING + datetime.timedelta(NOTICE + 1),
    demand=_paid_once,
)
"""Changed, objected to, changed again, agreed to; nobody is paid in between."""


@cache
def _last_asked() -> Image:
    """A joint review in which Finance alone has not answered."""
    scenario = Scenario(
        "furnish a review",
        ("funding", "coordination"),
        (
            (_act("OpenJointReview", DIIT, "open"),),
            _asked("FINANCE", 1),
            (_opine("DRC", "first"), _opine("DST", "first")),
        ),
        furnished=reviewed,
    )
    World(scenario).run()
    return disk().read()


def _in(*states: int) -> Until:
    return Until(lambda world: world.record(NAME).state in states)


def _covered(world: World) -> None:
    review = world.record(NAME).joint_review
    assert review.judged_revision == review.asked_revision, "I4: the departments' answer is lost"


CROSSING = Scenario(
    "crossing",
    ("funding", "coordination"),
    (
        (_opine("FINANCE", "last"),),
        (_act("RequestCompletion", DIIT, "back", reason="请补充"),),
        Pass(10),
        _in(A.STATE_JOINTLY_REVIEWED, A.STATE_RETURNED),
    ),
    furnished=_last_asked,
    demand=_covered,
)
"""The last opinion and the request to complete cross: the review ends in one service, and waits for the applicant in another."""
