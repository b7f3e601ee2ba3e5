"""How programmes and awards stand for money: what the double-entry ledger books. Pure.

An account is its kind, then programme, year, source of money, application, department and unit. What a programme may
award comes from `appropriated` (or from another year by `carried`) and lies in `available`; an award takes it from there
into `remaining`, a payment from `remaining` into `held`, a recovery from `held` into `recovered`. So at every moment
ceiling = available + awarded, awarded = paid + remaining, paid = held + recovered.
"""

from collections import Counter
from typing import Any

from kernel.book import Account, Balances, Book
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding import money

CURRENCY = "CNY"
SOURCES = frozenset({"appropriated", "carried", "outside"})
"""Kinds of account that money comes from; every other one never falls below zero."""
PARTS: dict[str, type] = {
    "programme": str,
    "year": int,
    "funding_source": str,
    "application": str,
    "department": str,
    "applicant": str,
}


def balances(record: Any) -> Balances:
    """Return what a record holds: amounts in fen that sum to zero."""
    if isinstance(record, pb.Programme):
        return _programme(record)
    if isinstance(record, pb.Application):
        return _application(record)
    return {}


def _programme(programme: pb.Programme) -> Counter[Account]:
    held: Counter[Account] = Counter()
    for ceiling in programme.ceilings:
        where = _year(programme, ceiling.year, ceiling.funding_source)
        held["available", *where] += ceiling.ceiling_fen
        held["appropriated", *where] -= ceiling.ceiling_fen
    for carried in programme.carry_overs:
        for year, fen in (
            (carried.from_year, -carried.amount_fen),
            (carried.from_year + 1, carried.amount_fen),
        ):
            where = _year(programme, year, carried.funding_source)
            held["appropriated", *where] += fen
            held["carried", *where] -= fen
    for entry in programme.commitments:
        _opening(held, programme, entry)
    return held


def _year(programme: pb.Programme, year: int, source: str) -> tuple[Any, ...]:
    return programme.name, year, source, "", "", ""


def _opening(held: Counter[Account], programme: pb.Programme, entry: pb.Commitment) -> None:
    """What an imported programme brought along, of awards that are not registered here."""
    if not entry.opening_committed_fen:
        return
    where = _year(programme, entry.year, entry.funding_source)
    award = (programme.name, entry.year, entry.funding_source, "", programme.lead_department, "")
    held["available", *where] -= entry.opening_committed_fen
    held["remaining", *award] += entry.opening_committed_fen - entry.opening_paid_fen
    held["held", *award] += entry.opening_paid_fen - entry.opening_recovered_fen
    held["recovered", *award] += entry.opening_recovered_fen


def _application(application: pb.Application) -> Balances:
    """An award counts against its programme's ceiling, or, imported, against none."""
    if not application.approved_fen or application.currency not in ("", CURRENCY):
        return {}
    year, source = application.year, application.funding_source
    award = (
        application.programme, year, source, application.name, application.lead_department,
        application.applicant_unit.code,
    )  # fmt: skip
    awarded = money.awarded(application)
    came_from: Account = (
        ("available", application.programme, year, source, "", "", "")
        if application.committed_fen
        else ("outside", *award)
    )
    return {
        came_from: -awarded,
        ("remaining", *award): awarded - application.paid_fen,
        ("held", *award): application.paid_fen - application.recovered_fen,
        ("recovered", *award): application.recovered_fen,
    }


BOOK = Book(PARTS, SOURCES, balances)
