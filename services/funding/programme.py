"""A programme: who leads it, where its money comes from, how much a year may be awarded."""

from collections import Counter
from typing import Any

from kernel.case import Case
from kernel.errors import Invalid, Refused
from kernel.units import unit_of
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.money import ceiling, ceiling_entry, committed, left
from services.funding.rules import P, all_required, effective_day, required, room, yuan

MOST_CARRY_OVERS = 60


def check(programme: pb.Programme, case: Case) -> None:
    """Hold a programme to its contract, and fill what the pack says. Raises Invalid."""
    programme.title = programme.title.strip()
    required(programme.title, "title")
    if case.importing:
        _check_ceilings(programme, case)
        _check_history(programme)
        return
    _fill(programme, case)
    if programme.funding_source:
        case.pack.funding_sources.get(programme.funding_source, case.effective, "funding_source")
    _check_ceilings(programme, case)


def _check_ceilings(programme: pb.Programme, case: Case) -> None:
    for index, entry in enumerate(programme.ceilings):
        field = f"ceilings[{index}].funding_source"
        entry.funding_source = own_source(programme, entry.funding_source, field, case)
    found = Counter((entry.year, entry.funding_source) for entry in programme.ceilings)
    twice = next((year for (year, _), times in found.items() if times > 1), None)
    if twice is not None:
        raise Invalid(
            f"{twice} has two ceilings of one source; give one a year and source",
            f"{twice}年度同一资金来源有两个额度；每年每个来源只填一个",
            field="ceilings",
            reason="YEAR_TWICE",
        )


def own_source(programme: pb.Programme, said: str, field: str, case: Case) -> str:
    """Return a source of money as entries hold it: empty for the programme's own. Raises Invalid for an unknown one."""
    if said in ("", programme.funding_source):
        return ""
    if not case.importing:
        case.pack.funding_sources.get(said, case.effective, field)
    return said


def _check_history(programme: pb.Programme) -> None:
    """What an imported programme owes is an opening balance: its awards are not registered here."""
    for index, entry in enumerate(programme.commitments):
        most = ceiling(programme, entry.year, entry.funding_source)
        whole = 0 <= entry.recovered_fen <= entry.paid_fen <= entry.committed_fen <= most
        if not whole:
            raise Invalid(
                f"{entry.year}: paid <= committed <= ceiling does not hold; correct the amounts",
                f"{entry.year}年度不满足 已付≤已承诺≤额度；请更正金额",
                field=f"commitments[{index}]",
                reason="CEILING_EXCEEDED",
            )
        entry.opening_committed_fen = entry.committed_fen
        entry.opening_paid_fen = entry.paid_fen
        entry.opening_recovered_fen = entry.recovered_fen


def _fill(programme: pb.Programme, case: Case) -> None:
    """The pack's programme says who leads and who pays; without one the caller's leads."""
    lead = case.caller.department
    if programme.policy:
        policy = case.pack.programmes.get(programme.policy, case.effective, "policy")
        programme.funding_source = programme.funding_source or policy.funding_source
        _usual_ceilings(programme, policy)
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


def _usual_ceilings(programme: pb.Programme, policy: Any) -> None:
    """A new programme that says none gets the ceilings of the pack."""
    if programme.revision or programme.ceilings:
        return
    for usual in policy.ceilings:
        programme.ceilings.add(
            year=usual.year, ceiling_fen=usual.fen, funding_source=usual.funding_source
        )


def activate(programme: pb.Programme, command: pb.ActivateProgrammeRequest, case: Case) -> None:
    """Open the programme. Raises Invalid, Violated where it has no source or no ceiling."""
    needed = {"funding_source": programme.funding_source, "ceilings": programme.ceilings}
    all_required(needed)


def set_ceiling(
    programme: pb.Programme, command: pb.SetCeilingProgrammeRequest, case: Case
) -> None:
    """Set one year's ceiling of one source. Raises Refused below what is committed."""
    source = own_source(programme, command.funding_source, "funding_source", case)
    least = committed(programme, command.year, source)
    if command.ceiling_fen < least:
        raise Refused(
            f"{yuan(least)} CNY is committed for {command.year}; the ceiling can be no lower",
            f"{command.year}年度已承诺{yuan(least)}元；额度不能低于此数",
            field="ceiling_fen",
            reason="BELOW_COMMITTED",
        )
    entry = _entry(programme, command.year, source)
    entry.ceiling_fen = command.ceiling_fen
    entry.document_number, entry.reason = command.document_number, command.reason


def _entry(programme: pb.Programme, year: int, source: str) -> pb.Ceiling:
    found = ceiling_entry(programme, year, source)
    return found or programme.ceilings.add(year=year, funding_source=source)


def carry_over(programme: pb.Programme, command: pb.CarryOverProgrammeRequest, case: Case) -> None:
    """Let the next year award what this one did not. Raises Refused for more than its ceiling leaves."""
    room(programme.carry_overs, MOST_CARRY_OVERS, "carry-overs", "结转")
    source = own_source(programme, command.funding_source, "funding_source", case)
    most = left(programme, command.from_year, source)
    if command.amount_fen > most:
        raise Refused(
            f"{command.from_year} leaves {yuan(most)} CNY to carry over; give no more",
            f"{command.from_year}年度可结转{yuan(most)}元；请勿超出",
            field="amount_fen",
            reason="OVER_THE_MOST",
        )
    for year, fen in (
        (command.from_year, -command.amount_fen),
        (command.from_year + 1, command.amount_fen),
    ):
        entry = _entry(programme, year, source)
        entry.ceiling_fen += fen
        entry.document_number, entry.reason = command.document_number, command.reason
    programme.carry_overs.add(
        from_year=command.from_year,
        funding_source=source,
        amount_fen=command.amount_fen,
        document_number=command.document_number,
        reason=command.reason,
        date=effective_day(case),
    )


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
