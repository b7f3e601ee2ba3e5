"""Opinions and conditions: within the own remit, by who is asked, tracked until met."""

import pytest

from kernel.dates import from_date
from kernel.errors import Denied, Invalid, NotFound, Refused
from kernel.rights import allowed, standing_of
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.platforms.v1 import platforms_pb2 as platforms
from luoshu.technologies.v1 import technologies_pb2 as technologies
from services.coordination.domain import LIFECYCLE
from services.coordination.inbox import items_of
from tests.unit.coordination_world import Reviewing, S, henan, officer, with_rule
from tests.unit.funding_world import refused


def test_each_department_answers_for_itself_and_the_last_one_ends_the_review() -> None:
    there = Reviewing().open()
    assert there.opine("DRC").state == there.opine("DIIT").state == S.STATE_OPEN
    done = there.opine("FINANCE")
    assert done.state == S.STATE_CONCLUDED
    assert done.outcome == pb.OUTCOME_AGREED
    assert not done.owing_departments


def test_a_department_that_is_not_asked_is_denied() -> None:
    with refused(Denied, "NOT_ASKED"):
        Reviewing().open().opine("DST")


def offered(there: Reviewing, department: str) -> tuple[str, ...]:
    return allowed(officer(department), LIFECYCLE, standing_of(there.review, LIFECYCLE))


def test_only_who_is_asked_and_has_not_answered_is_told_to_opine() -> None:
    there = Reviewing().open()
    there.review.lead_department = "DST"
    assert offered(there, "DST") == ()
    assert offered(there, "DRC") == ("opine",)
    there.opine("DRC", "AGREE_WITH_CONDITIONS", conditions=["补充承诺"])
    assert offered(there, "DRC") == ("confirm_condition",)
    assert offered(there, "FINANCE") == ("opine",)


def test_an_opinion_is_given_once() -> None:
    there = Reviewing().open()
    there.opine("DRC")
    with refused(Refused, "ALREADY_ANSWERED"):
        there.opine("DRC", "OBJECT", text="改变主意")


def test_an_opinion_concerns_only_fields_of_the_departments_own_remit() -> None:
    there = Reviewing().open()
    with refused(Invalid, "NOT_IN_REMIT") as wrong:
        there.opine("FINANCE", concerns=["budget", "abstract"])
    assert wrong.value.field == "concerns[1]"
    assert "budget" in wrong.value.en
    there.opine("FINANCE", concerns=["budget"])
    assert list(there.opinion("FINANCE").concerns) == ["budget"]


def test_an_opinion_that_names_no_fields_is_about_the_whole_remit() -> None:
    there = Reviewing().open()
    there.opine("FINANCE")
    assert set(there.opinion("FINANCE").concerns) == {"requested_fen", "budget"}


def test_every_field_of_a_remit_is_a_field_of_what_is_reviewed() -> None:
    records = (funding.Application, platforms.Platform, technologies.Breakthrough)
    known = {field for record in records for field in record.DESCRIPTOR.fields_by_name}
    assert not [f for remit in henan().remits for f in remit.fields if f not in known]


def test_one_objection_outweighs_any_consent() -> None:
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("DIIT", "OBJECT", text="与在建项目重复")
    assert there.opine("FINANCE").outcome == pb.OUTCOME_OBJECTED


def test_a_recusal_counts_for_nothing() -> None:
    there = Reviewing().open()
    there.opine("DRC", "RECUSE", text="参股单位")
    there.opine("DIIT")
    assert there.opine("FINANCE").outcome == pb.OUTCOME_AGREED


def agreed_on_a_condition() -> Reviewing:
    there = Reviewing().open()
    there.opine("DRC")
    there.opine("DIIT")
    there.opine("FINANCE", "AGREE_WITH_CONDITIONS", conditions=["设备须集中招标", "专账核算"])
    return there


def test_conditions_are_owed_until_each_is_confirmed_with_evidence() -> None:
    there = agreed_on_a_condition()
    assert list(there.review.owing_departments) == ["FINANCE"]
    there.do("confirm_condition", officer("FINANCE"), number=1, evidence="采购合同〔2026〕3号")
    assert list(there.review.owing_departments) == ["FINANCE"]
    there.do("confirm_condition", officer("FINANCE"), number=2, evidence="专账已设立")
    assert not there.review.owing_departments
    assert there.review.conditions[0].confirmed_by == "finance"


def test_a_condition_is_confirmed_by_who_set_it_and_by_nobody_else() -> None:
    there = agreed_on_a_condition()
    with refused(Denied, "NOT_THE_DEPARTMENT"):
        there.do("confirm_condition", officer("DRC"), number=1, evidence="已落实")


def test_a_condition_is_confirmed_once_and_must_be_there() -> None:
    there = agreed_on_a_condition()
    there.do("confirm_condition", officer("FINANCE"), number=1, evidence="已落实")
    with refused(Refused, "CONDITION_DONE"):
        there.do("confirm_condition", officer("FINANCE"), number=1, evidence="已落实")
    with pytest.raises(NotFound, match="the review has 2"):
        there.do("confirm_condition", officer("FINANCE"), number=3, evidence="已落实")


def test_the_rule_of_the_topic_asks_whom_it_names_besides() -> None:
    pack = henan()
    assert pack.joint_review("major-science-special") == ("FINANCE",)
    assert pack.joint_review("major-science-special", topic="低空经济") == ("FINANCE", "DRC")
    assert pack.review_rule("industrial-open-bids", topic="低空经济").id == "open-bid-list"


def test_a_condition_is_due_so_many_working_days_after_it_was_set() -> None:
    there = Reviewing().open()
    there.opine("DRC", "AGREE_WITH_CONDITIONS", conditions=["取得批复"])
    (condition,) = there.review.conditions
    days = 20
    last = henan().add_working_days(there.day, days)
    assert (condition.set_date, condition.due_date) == (from_date(there.day), from_date(last.date))
    (item,) = [i for i in items_of(there.review, "DRC", there.day, henan()) if i.condition]
    assert (item.due_date, item.days_left) == (condition.due_date, days)


def test_a_condition_without_days_in_the_pack_has_no_last_day() -> None:
    there = Reviewing(pack=with_rule("default", condition_working_days=0)).open()
    there.opine("DRC", "AGREE_WITH_CONDITIONS", conditions=["取得批复"])
    assert not there.review.conditions[0].HasField("due_date")
