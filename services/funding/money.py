"""What a programme owes and an award leaves: integers of fen, never over the year's ceiling.

For every year of a programme and every source of its money: paid <= committed <= ceiling. For every award:
approved = paid + remaining + released. A source is empty where it is the programme's own.
"""

from kernel.case import Case
from kernel.errors import Refused
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.rules import yuan


def ceiling(programme: pb.Programme, year: int, source: str = "") -> int:
    """Return the year's ceiling of a source, fen; 0 where none is set. No source: the programme's own."""
    entry = ceiling_entry(programme, year, source)
    return entry.ceiling_fen if entry else 0


def ceiling_entry(programme: pb.Programme, year: int, source: str) -> pb.Ceiling | None:
    """Return the year's entry of a source, to change; None where there is none."""
    found = (c for c in programme.ceilings if (c.year, c.funding_source) == (year, source))
    return next(found, None)


def committed(programme: pb.Programme, year: int, source: str = "") -> int:
    """Return what is awarded for the year and not released, fen."""
    entry = _commitment(programme, year, source)
    return entry.committed_fen if entry else 0


def commitment(programme: pb.Programme, year: int, source: str = "") -> pb.Commitment:
    """Return the year's entry to change, made where there is none."""
    entry = _commitment(programme, year, source)
    return entry or programme.commitments.add(year=year, funding_source=source)


def _commitment(programme: pb.Programme, year: int, source: str) -> pb.Commitment | None:
    found = (c for c in programme.commitments if (c.year, c.funding_source) == (year, source))
    return next(found, None)


def left(programme: pb.Programme, year: int, source: str = "") -> int:
    """Return what may still be awarded, fen."""
    return ceiling(programme, year, source) - committed(programme, year, source)


def commit(programme: pb.Programme, year: int, fen: int, source: str = "") -> None:
    """Hold an amount of the year's ceiling. Raises Refused, saying what is left."""
    most = left(programme, year, source)
    if fen > most:
        raise Refused(
            f"{yuan(fen)} CNY is over what {year}'s ceiling leaves: at most {yuan(most)} CNY; "
            "approve less, or set_ceiling first",
            f"{yuan(fen)}元超出{year}年度额度余额；最多{yuan(most)}元，或先调整额度",
            field="approved_fen",
            reason="CEILING_EXCEEDED",
        )
    commitment(programme, year, source).committed_fen += fen


def unpaid(instalment: pb.Instalment) -> int:
    """Return what an instalment still has to pay, fen."""
    return instalment.amount_fen - instalment.paid_fen - instalment.released_fen


def remaining(application: pb.Application) -> int:
    """Return what an award still has to pay, fen; before the contract: all of it."""
    if application.instalments:
        return sum(unpaid(instalment) for instalment in application.instalments)
    return application.approved_fen - application.paid_fen - application.released_fen


def awarded(application: pb.Application) -> int:
    """Return what an award comes to, fen: approved and not released. Always paid + remaining."""
    return application.approved_fen - application.released_fen


def ledger(application: pb.Application, case: Case) -> pb.Commitment | None:
    """Return the programme's entry to change too; None where none counts it (imported)."""
    if not application.committed_fen:
        return None
    programme = case.change(application.programme)
    return commitment(programme, application.year, application.funding_source)


def pay(application: pb.Application, instalment: pb.Instalment, fen: int, case: Case) -> None:
    """Pay a part of an instalment. Raises Refused where it leaves less."""
    most = unpaid(instalment)
    if fen > most:
        raise Refused(
            f"{yuan(fen)} is over what instalment {instalment.number} leaves; at most {yuan(most)}",
            f"{yuan(fen)}元超出第{instalment.number}期未付余额；最多{yuan(most)}元",
            field="amount_fen",
            reason="OVERPAID",
        )
    entry = ledger(application, case)
    if entry is not None:
        entry.paid_fen += fen
    instalment.paid_fen += fen
    application.paid_fen += fen


def release(application: pb.Application, case: Case) -> None:
    """Give back to the programme what will not be paid; nothing when all is paid."""
    fen = remaining(application)
    if not fen:
        return
    entry = ledger(application, case)
    if entry is not None:
        entry.committed_fen -= fen
        application.committed_fen -= fen
    for instalment in application.instalments:
        instalment.released_fen += unpaid(instalment)
    application.released_fen += fen


def recover(application: pb.Application, fen: int, case: Case) -> None:
    """Count money that came back. Raises Refused for more than was paid."""
    most = application.paid_fen - application.recovered_fen
    if fen > most:
        raise Refused(
            f"{yuan(fen)} is over what was paid and has not come back; at most {yuan(most)}",
            f"{yuan(fen)}元超出已付未追回金额；最多{yuan(most)}元",
            field="amount_fen",
            reason="OVER_RECOVERED",
        )
    entry = ledger(application, case)
    if entry is not None:
        entry.recovered_fen += fen
    application.recovered_fen += fen
