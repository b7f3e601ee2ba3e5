"""Money on a real database: one ceiling and many approvers, the ledger, and the statements that are read out of it."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import openpyxl
import pytest
import sqlalchemy as sa

from app.cli.statement import whole
from app.cli.statement_book import workbook
from kernel.dates import ONE_DAY, from_date
from kernel.ledger import replayed
from luoshu.funding.v1 import funding_pb2 as pb
from luoshu.journal.v1.journal_pb2 import Person
from services.funding.store import FUNDING
from tests.running import Running, Who, refusal, request
from tests.service.registry_suite import (
    APPROVER,
    OFFICER,
    OTHER_UNIT,
    TODAY,
    UNIT,
    YEAR,
)

A = pb.Application.State
FINANCE = Who("qian", "DST", ("finance_officer",))
IMPORTER = Who("sun", "DST", ("importer",))
DOCUMENT = {"document_number": "豫科〔2026〕9号"}
APPROVERS = int(os.environ.get("LUOSHU_APPROVERS", "32"))
EACH = int(os.environ.get("LUOSHU_APPROVALS_EACH", "50"))
AFFORDED = APPROVERS * EACH * 7 // 16  # so many awards a ceiling is made for
FEN = 1_000_003  # a whole number of 万元 it is not


def a_programme(running: Running, key: str, fen: int, **more: Any) -> str:
    """Return an active programme with this ceiling and a published call of the same key."""
    ceilings = [pb.Ceiling(year=YEAR, ceiling_fen=fen), *more.pop("ceilings", ())]
    said = {"title": key, "funding_source": "provincial-plans", "ceilings": ceilings, **more}
    running.call("CreateProgramme", OFFICER, programme=pb.Programme(**said), programme_id=key)
    running.call("ActivateProgramme", APPROVER, name=f"programmes/{key}")
    call = pb.Call(title=key, programme=f"programmes/{key}", year=YEAR)
    call.open_date.CopyFrom(from_date(TODAY))
    call.close_date.CopyFrom(from_date(TODAY.replace(month=6)))
    running.call("CreateCall", OFFICER, call=call, call_id=key)
    running.call("PublishCall", OFFICER, name=f"calls/{key}", **DOCUMENT)
    return f"programmes/{key}"


def in_notice(running: Running, call: str, count: int, unit: str = UNIT) -> list[str]:
    """Return applications whose public notice is over, as an import of the paper files brings them."""
    ended = from_date(TODAY - ONE_DAY)
    rows = [
        {
            "key": f"{call}-{unit}-{n}",
            "line": n + 1,
            "effective_date": from_date(TODAY - 9 * ONE_DAY),
            "application": pb.Application(
                state=A.STATE_IN_PUBLIC_NOTICE, call=f"calls/{call}", title=f"{call} {n}",
                applicant_unit=pb.Unit(name="某公司", code=unit), currency="CNY", requested_fen=FEN,
                budget=[pb.BudgetLine(category="设备费", amount_fen=FEN)],
                principal_investigator=Person(name="某", identity_number=f"{call}-{unit}-{n}"),
                recommending_unit="410100", end_date=from_date(TODAY.replace(year=YEAR + 2)),
                public_notice=pb.PublicNotice(start_date=ended, end_date=ended),
            ),
        }
        for n in range(count)
    ]  # fmt: skip
    batches = [rows[n : n + 200] for n in range(0, count, 200)]
    messages = [request("ImportApplications", source="paper", rows=batch) for batch in batches]
    answers = running.feed("ImportApplications", IMPORTER, messages, timeout=120)
    names = [result.name for answer in answers for result in answer.results]
    assert all(names)
    return names


def approve(running: Running, name: str, who: Who = APPROVER, **said: Any) -> Any:
    told = {"approved_fen": FEN, **DOCUMENT, **said}
    return running.call("ApproveApplication", who, name=name, timeout=60, **told)


def sign(running: Running, name: str, parts: int = 1, **more: Any) -> Any:
    amounts = [FEN // parts] * (parts - 1)
    amounts.append(FEN - sum(amounts))
    plan = [{"number": n, "amount_fen": fen} for n, fen in enumerate(amounts, 1)]
    said = {"number": "R-1", "tasks": "研究", "instalments": plan, **more}
    return running.call("SignContractApplication", OFFICER, name=name, **said)


def pay(running: Running, name: str, number: int, fen: int, voucher: str) -> Any:
    said = {"number": number, "amount_fen": fen, "voucher": voucher}
    return running.call("PayInstalmentApplication", FINANCE, name=name, **said)


def statement(running: Running, who: Who = OFFICER, **said: Any) -> pb.Statement:
    def call(asked: pb.GetStatementRequest) -> Any:
        return running.ask("GetStatement", who, asked)

    return whole(call, pb.GetStatementRequest(**said))


def entries(running: Running) -> list[tuple[Any, ...]]:
    return running.rows("funding", "SELECT * FROM ledger_entry ORDER BY position, line")


def demand_agreement(running: Running) -> None:
    """Every balance is the sum of its entries, every change sums to zero, and records say the same."""
    sums: Counter[Any] = Counter()
    changes: Counter[Any] = Counter()
    for position, _, _, *account, fen in entries(running):
        sums[tuple(account)] += fen
        changes[position] += fen
    assert not any(changes.values())
    balances = running.rows("funding", "SELECT * FROM ledger_balance")
    assert {tuple(a): fen for *a, fen in balances} == dict(sums)
    for (body,) in running.rows("funding", "SELECT record FROM programme"):
        programme = pb.Programme.FromString(body)
        for entry in programme.commitments:
            said = (programme.name, entry.year, entry.funding_source)
            found = {
                kind: sum(fen for a, fen in sums.items() if a[0] == kind and a[1:4] == said)
                for kind in ("remaining", "held", "recovered", "outside")
            }
            paid = found["held"] + found["recovered"]
            assert found["remaining"] + paid + found["outside"] == entry.committed_fen, said
            if not found["outside"]:
                assert (paid, found["recovered"]) == (entry.paid_fen, entry.recovered_fen), said


@pytest.fixture(scope="module")
def rush(registries: Running) -> list[str]:
    """32 approvers × 50 applications against a ceiling for 700 of them, or more of all; what was answered OK."""
    a_programme(registries, "rush", FEN * AFFORDED + 5)
    names = in_notice(registries, "rush", APPROVERS * EACH)

    def one(approver: int) -> Iterator[str]:
        who = Who(f"approver-{approver}", "DST", ("approver",))
        for name in names[approver * EACH : (approver + 1) * EACH]:
            with suppress(grpc.RpcError):
                yield approve(registries, name, who).name

    with ThreadPoolExecutor(APPROVERS) as pool:
        return [
            name for done in pool.map(lambda n: list(one(n)), range(APPROVERS)) for name in done
        ]


def test_many_approvers_at_one_ceiling_use_it_up_and_never_pass_it(
    registries: Running, rush: list[str]
) -> None:
    assert len(rush) == AFFORDED
    found = statement(registries, programme="programmes/rush")
    (line,) = found.ceilings
    assert (line.awarded_fen, line.available_fen) == (FEN * AFFORDED, 5)
    assert {award.application for award in found.awards} == set(rush)
    available, least = line.ceiling_fen, line.ceiling_fen
    told = "SELECT fen FROM ledger_entry WHERE programme = ? AND kind = ? ORDER BY position"
    for (fen,) in registries.rows("funding", told, "programmes/rush", "available")[1:]:
        available += fen
        least = min(least, available)
    assert least == 5
    demand_agreement(registries)


def test_the_database_itself_refuses_what_would_pass_a_ceiling(
    registries: Running, rush: list[str]
) -> None:
    take = "UPDATE ledger_balance SET fen = fen - 6 WHERE programme = ? AND kind = 'available'"
    with pytest.raises(sa.exc.IntegrityError):
        registries.change("funding", take, "programmes/rush")


def test_no_statement_changes_or_drops_an_entry(registries: Running, rush: list[str]) -> None:
    for wrong in ("UPDATE ledger_entry SET fen = fen + 1", "DELETE FROM ledger_entry"):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"):
            registries.change("funding", wrong)


@pytest.fixture(scope="module")
def lives(registries: Running) -> list[str]:
    """Three awards of two sources: one paid in two parts and recovered, one closed early, one not begun."""
    more = [pb.Ceiling(year=YEAR, ceiling_fen=FEN, funding_source="treasury-bonds")]
    a_programme(registries, "lives", FEN * 3, ceilings=more)
    first, second = in_notice(registries, "lives", 2)
    (third,) = in_notice(registries, "lives", 1, OTHER_UNIT)
    approve(registries, first)
    sign(registries, first, parts=2)
    pay(registries, first, 1, 400_000, "V-1")
    pay(registries, first, 2, 100_001, "V-2")
    registries.call("RevokeApplication", APPROVER, name=first, reason="违约", **DOCUMENT)
    registries.call("RecoverApplication", FINANCE, name=first, amount_fen=200_000, voucher="R-1")
    approve(registries, second, funding_source="treasury-bonds")
    sign(registries, second)
    registries.call("TerminateApplication", APPROVER, name=second, reason="中止", **DOCUMENT)
    approve(registries, third)
    moved = {"from_year": YEAR, "amount_fen": FEN, "reason": "结转", **DOCUMENT}
    registries.call("CarryOverProgramme", APPROVER, name="programmes/lives", **moved)
    return [first, second, third]


def test_a_statement_says_what_is_awarded_paid_and_left(
    registries: Running, lives: list[str]
) -> None:
    found = statement(registries, programme="programmes/lives")
    amounts = {line.application: line.amounts for line in found.awards}
    assert amounts == {
        lives[0]: pb.Amounts(awarded_fen=500_001, paid_fen=500_001, recovered_fen=200_000),
        lives[2]: pb.Amounts(awarded_fen=FEN, remaining_fen=FEN),
    }
    ceilings = {(c.year, c.funding_source): c for c in found.ceilings}
    own = ceilings[YEAR, "provincial-plans"]
    assert (own.ceiling_fen, own.carried_fen) == (FEN * 2, -FEN)
    assert own.available_fen == FEN * 2 - 500_001 - FEN
    assert ceilings[YEAR + 1, "provincial-plans"].carried_fen == FEN
    assert ceilings[YEAR, "treasury-bonds"].available_fen == FEN
    demand_agreement(registries)


def test_totals_are_the_sum_of_their_parts_whoever_is_asked_for(
    registries: Running, lives: list[str], rush: list[str]
) -> None:
    for said in ({}, {"department": "DST"}, {"applicant": UNIT}, {"year": YEAR}):
        found = statement(registries, **said)
        assert found.award_count == len(found.awards) > 0
        assert found.balance_fen == 0
        for groups in (found.programmes, found.departments, found.applicants, found.awards):
            for name in ("awarded_fen", "paid_fen", "remaining_fen", "recovered_fen"):
                parts = sum(getattr(part.amounts, name) for part in groups)
                assert parts == getattr(found.total, name)
    assert statement(registries, applicant=OTHER_UNIT).total.awarded_fen == FEN
    assert statement(registries, funding_source="treasury-bonds").award_count == 0


def test_at_every_moment_awarded_is_paid_and_remaining_and_ceilings_hold(
    registries: Running, lives: list[str]
) -> None:
    told = "SELECT DISTINCT position FROM ledger_entry WHERE programme = ?"
    for (position,) in registries.rows("funding", told, "programmes/lives"):
        found = statement(registries, programme="programmes/lives", position=position)
        assert found.position == position
        assert found.balance_fen == 0
        awarded = sum(line.amounts.awarded_fen for line in found.awards)
        assert awarded == sum(line.awarded_fen for line in found.ceilings)
        for line in found.awards:
            assert line.amounts.awarded_fen == line.amounts.paid_fen + line.amounts.remaining_fen
        for ceiling in found.ceilings:
            assert 0 <= ceiling.available_fen == ceiling.ceiling_fen - ceiling.awarded_fen


def test_a_position_that_is_still_to_come_is_refused(registries: Running) -> None:
    wrong = refusal(lambda: statement(registries, position=10**9))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "POSITION_IN_FUTURE")


def test_the_journal_replayed_gives_the_same_ledger(
    registries: Running, lives: list[str], rush: list[str]
) -> None:
    told = "SELECT position, collection, effective_date, event FROM journal ORDER BY position"
    rows = registries.rows("funding", told)
    again = [(e.position, e.line, e.day, *e.account, e.fen) for e in replayed(FUNDING, iter(rows))]
    assert again == entries(registries)
    assert len(again) > 1400


def test_more_than_the_year_leaves_is_not_carried_over(
    registries: Running, lives: list[str]
) -> None:
    said = {"from_year": YEAR, "amount_fen": FEN, "reason": "结转", **DOCUMENT}
    wrong = refusal(
        lambda: registries.call("CarryOverProgramme", APPROVER, name="programmes/lives", **said)
    )
    assert (wrong.code, wrong.reason) == ("FAILED_PRECONDITION", "OVER_THE_MOST")


def test_a_workbook_keeps_every_fen(registries: Running, lives: list[str]) -> None:
    found = statement(registries, programme="programmes/lives")
    book = openpyxl.load_workbook(io.BytesIO(workbook(found, "zh")))
    awards = [[cell.value for cell in row] for row in book["项目"].iter_rows(min_row=2)]
    *lines, total = [[round(value * 1_000_000) for value in row[5:]] for row in awards]
    assert total == [sum(column) for column in zip(*lines, strict=True)]
    assert total == [
        found.total.awarded_fen,
        found.total.paid_fen,
        found.total.remaining_fen,
        200_000,
    ]
    assert 0.500001 in {row[5] for row in awards}
