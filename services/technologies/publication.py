"""Before a technology is published for open bids: the departments that publish it jointly are asked. Pure."""

from collections.abc import Sequence

from kernel.case import Case
from kernel.dates import from_date
from kernel.errors import Invalid, Refused
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.rules import number

Outcome = pb.Publication.Outcome
PUBLISHERS = "open-bid-publishers"
"""Id of the pack's rule: how many departments publish a list together."""
SAID = {
    Outcome.OUTCOME_UNSPECIFIED: ("not answered yet", "尚未答复"),
    Outcome.OUTCOME_OBJECTED: ("objected to", "有部门不同意"),
    Outcome.OUTCOME_UNANSWERED: (
        "not answered by all: silent or recused",
        "有部门逾期未答复或回避",
    ),
}


def circulate(
    record: pb.Breakthrough, command: pb.CirculateBreakthroughRequest, case: Case
) -> None:
    """Ask the departments; the lead says its own word by asking. Raises Invalid, Refused while they are asked."""
    if record.publication.departments and not record.publication.outcome:
        raise Refused(
            f"{', '.join(record.publication.departments)} are asked already; wait for their answers",
            f"已在征求{'、'.join(record.publication.departments)}的意见；请等待答复",
            reason="ALREADY_ASKED",
        )
    check_publishers(record, command.publishing_departments, case)
    asked = pb.Publication(
        departments=command.publishing_departments,
        round=record.publication.round + 1,
        ask_date=from_date(case.effective),
    )
    record.publication.CopyFrom(asked)
    concerned = {*record.concerned_departments, *command.publishing_departments}
    record.concerned_departments[:] = sorted(concerned - {record.lead_department})


def conclude_circulation(
    record: pb.Breakthrough, command: pb.ConcludeCirculationBreakthroughRequest, case: Case
) -> None:
    """Take over what came of the departments' review."""
    publication = record.publication
    publication.review, publication.outcome = command.review, command.outcome
    publication.opinions = command.opinions
    publication.conclude_date.CopyFrom(from_date(case.effective))


def demand_consent(record: pb.Breakthrough, departments: Sequence[str], case: Case) -> None:
    """Raises Refused unless every department consents to this publication; one that publishes alone asks nobody."""
    publication = record.publication
    if set(departments) <= {record.lead_department}:
        return
    same = set(publication.departments) == set(departments)
    if same and publication.outcome == Outcome.OUTCOME_AGREED:
        return
    how, how_zh = SAID.get(publication.outcome, SAID[Outcome.OUTCOME_UNSPECIFIED])
    if not same:
        how, how_zh = "not asked of these departments", "未征求这些部门的意见"
    raise Refused(
        f"a joint publication needs the consent of {', '.join(departments)}: {how}; allowed: circulate",
        f"联合发榜须经{'、'.join(departments)}同意：{how_zh}；请先征求意见（circulate）",
        field="publishing_departments",
        reason="CONSENT_MISSING",
    )


def check_publishers(record: pb.Breakthrough, departments: Sequence[str], case: Case) -> None:
    """Raise Invalid unless the departments are known, enough, and the lead one is among them."""
    field = "publishing_departments"
    for index, department in enumerate(departments):
        case.pack.department(department, case.effective, f"{field}[{index}]")
    if record.lead_department and record.lead_department not in departments:
        raise Invalid(
            f"the lead department {record.lead_department} is not among the publishers; add it",
            f"发榜部门中缺少牵头部门 {record.lead_department}；请补充",
            field=field,
            reason="LEAD_NOT_AMONG",
        )
    least = number(case, PUBLISHERS, 1)
    if len(departments) < least:
        raise Invalid(
            f"open bids are published jointly by at least {least} departments, not "
            f"{len(departments)}; add the others",
            f"揭榜挂帅榜单须由至少 {least} 个部门联合发布，现有 {len(departments)} 个；请补充",
            field=field,
            reason="TOO_FEW_PUBLISHERS",
        )
