"""A programme: who leads it, where its money comes from, how much a year may be awarded."""

from collections import Counter

from kernel.case import Case
from kernel.errors import Invalid, Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.money import ceiling, committed
from services.funding.rules import P, all_required, yuan
from services.funding.units import unit_of


def check(programme: pb.Programme, case: Case) -> None:
    """Hold a programme to its contract, and fill what the pack says. Raises Invalid."""
    _check_ceilings(programme)
    if case.importing:
        _check_history(programme)
        return
    _fill(programme, case)
    if programme.funding_source:
        case.pack.funding_sources.get(programme.funding_source, case.effective, "funding_source")


def _check_ceilings(programme: pb.Programme) -> None:
    years = Counter(entry.year for entry in programme.ceilings)
    twice = next((year for year, times in years.items() if times > 1), None)
    if twice is not None:
        raise Invalid(
            f"{twice} has two ceilings; give one a year",
            f"{twice}年度有两个额度；每年只填一个",
            field="ceilings",
            reason="YEAR_TWICE",
        )


def _check_history(programme: pb.Programme) -> None:
    for index, entry in enumerate(programme.commitments):
        if not 0 <= entry.paid_fen <= entry.committed_fen <= ceiling(programme, entry.year):
            raise Invalid(
                f"{entry.year}: paid <= committed <= ceiling does not hold; correct the amounts",
                f"{entry.year}年度不满足 已付≤已承诺≤额度；请更正金额",
                field=f"commitments[{index}]",
                reason="CEILING_EXCEEDED",
            )


def _fill(programme: pb.Programme, case: Case) -> None:
    """The pack's programme says who leads and who pays; without one the caller's leads."""
    lead = case.caller.department
    if programme.policy:
        policy = case.pack.programmes.get(programme.policy, case.effective, "policy")
        programme.funding_source = programme.funding_source or policy.funding_source
        lead = policy.lead
    if programme.lead_department not in ("", lead):
        said = unit_of(programme.lead_department, "lead_department", case)
        programme.lead_department = said
    programme.lead_department = programme.lead_department or lead
    if not programme.lead_department == lead == case.caller.department:
        raise Invalid(
            f"{lead} leads this programme; it is registered and edited by {lead} itself",
            f"该专项由{lead}牵头；须由{lead}登记和修改",
            field="lead_department",
            reason="NOT_THE_LEAD",
        )


def activate(programme: pb.Programme, command: pb.ActivateProgrammeRequest, case: Case) -> None:
    """Open the programme. Raises Invalid, Violated where it has no source or no ceiling."""
    needed = {"funding_source": programme.funding_source, "ceilings": programme.ceilings}
    all_required(needed)


def set_ceiling(
    programme: pb.Programme, command: pb.SetCeilingProgrammeRequest, case: Case
) -> None:
    """Set one year's ceiling. Raises Refused below what is committed."""
    least = committed(programme, command.year)
    if command.ceiling_fen < least:
        raise Refused(
            f"{yuan(least)} CNY is committed for {command.year}; the ceiling can be no lower",
            f"{command.year}年度已承诺{yuan(least)}元；额度不能低于此数",
            field="ceiling_fen",
            reason="BELOW_COMMITTED",
        )
    found = (entry for entry in programme.ceilings if entry.year == command.year)
    entry = next(found, None) or programme.ceilings.add(year=command.year)
    entry.ceiling_fen = command.ceiling_fen
    entry.document_number, entry.reason = command.document_number, command.reason


def suspend(programme: pb.Programme, command: pb.SuspendProgrammeRequest, case: Case) -> None:
    """Stop new calls and awards; what is awarded is paid on."""


def resume(programme: pb.Programme, command: pb.ResumeProgrammeRequest, case: Case) -> None:
    """Open a suspended programme again."""


def close(programme: pb.Programme, command: pb.CloseProgrammeRequest, case: Case) -> None:
    """End the programme. Raises Refused while something committed is neither paid nor released."""
    for entry in programme.commitments:
        owed = entry.committed_fen - entry.paid_fen
        if owed:
            raise Refused(
                f"{yuan(owed)} CNY of {entry.year} is unpaid; pay it, or close its awards",
                f"{entry.year}年度尚有{yuan(owed)}元未付；请先支付，或结题、终止相应项目",
                reason="COMMITMENTS_OPEN",
            )


def demand_active(programme: pb.Programme, action: str) -> None:
    """Raises Refused unless the programme is open for calls and awards."""
    if programme.state != P.STATE_ACTIVE:
        state = P.Name(programme.state)
        raise Refused(
            f"cannot {action}: {programme.name} is {state}; activate or resume it first",
            f"不能执行 {action}：{programme.name} 当前状态为 {state}；请先启用或恢复",
            reason="PROGRAMME_NOT_ACTIVE",
        )
