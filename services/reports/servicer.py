"""The reports on the wire. Nothing here changes anything."""
# ruff: noqa: N802 - a method is named as its RPC

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from kernel.case import Caller, Role
from kernel.database import is_postgres, looking
from kernel.errors import Denied, Unauthenticated
from kernel.pack import Pack
from luoshu.reports.v1 import reports_pb2 as pb
from services.reports.behind import behind, page
from services.reports.facts import SOURCES
from services.reports.reading import Kept, Reading
from services.reports.rendering import rendered

T = TypeVar("T")

OFFICIALS = frozenset(
    {
        Role.RECOMMENDER,
        Role.CASE_OFFICER,
        Role.APPROVER,
        Role.FINANCE_OFFICER,
        Role.AUDITOR,
        Role.OPERATOR,
        Role.SYSTEM,
    }
)
"""Who reads what is not settled yet, and which records are behind a number."""
PAGE = 50


class ReportsServicer:
    """Answers from the reports' own database."""

    def __init__(self, engine: sa.Engine, pack: Pack, sources: Sequence[str] = SOURCES) -> None:
        self._engine = steady(engine)
        self._reading = Reading(pack, sources)

    async def GetReport(self, request: pb.GetReportRequest, caller: Caller) -> pb.Report:
        """Raises NotFound, Denied (an open month)."""
        kept = await self._kept(request.name, request.edition, caller)
        return kept.report

    async def ListReports(
        self, request: pb.ListReportsRequest, caller: Caller
    ) -> pb.ListReportsResponse:
        """Raises Invalid (the token)."""
        _demand_department(caller)
        size = request.page_size or PAGE
        reports, token = await self._read(
            lambda tx: self._reading.listed(tx, size, request.page_token)
        )
        return pb.ListReportsResponse(reports=reports, next_page_token=token)

    async def GetBoard(self, request: pb.GetBoardRequest, caller: Caller) -> pb.Board:
        """Raises NotFound, Denied (an open month)."""
        name = request.report or await self._read(self._reading.newest)
        report = (await self._kept(name, request.edition, caller)).report
        plans = [b for b in report.boards if request.plan in ("", b.plan)]
        return pb.Board(
            report=report.name,
            edition=report.edition,
            status=report.status,
            as_of=report.as_of,
            plans=plans,
        )

    async def ListCountedRecords(
        self, request: pb.ListCountedRecordsRequest, caller: Caller
    ) -> pb.ListCountedRecordsResponse:
        """Raises NotFound, Denied, Invalid (the token)."""
        _demand_official(caller)
        kept = await self._kept(request.report, request.edition, caller)
        pack = self._reading.pack
        found = await self._read(lambda tx: behind(tx, kept, request.figure, pack))
        rows, token = page(found, request.page_size or PAGE, request.page_token)
        return pb.ListCountedRecordsResponse(records=rows, next_page_token=token)

    async def RenderReport(
        self, request: pb.RenderReportRequest, caller: Caller
    ) -> pb.RenderedReport:
        """Raises NotFound, Denied (an open month)."""
        kept = await self._kept(request.name, request.edition, caller)
        language = request.language or "zh"
        return await asyncio.to_thread(rendered, kept, request.format, language)

    async def _kept(self, name: str, edition: int, caller: Caller) -> Kept:
        _demand_department(caller)
        kept = await self._read(lambda tx: self._reading.report(tx, name, edition))
        if kept.report.status != pb.STATUS_CLOSED:
            _demand_official(caller)
        return kept

    async def _read(self, work: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            with looking(self._engine) as tx, tx.begin():
                return work(tx)

        return await asyncio.to_thread(run)


def steady(engine: sa.Engine) -> sa.Engine:
    """Return an engine whose transactions see one state throughout, as those of SQLite do."""
    if is_postgres(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


def _demand_department(caller: Caller) -> None:
    if not caller.department:
        raise Unauthenticated(
            "no department or unit is named; sign in with one",
            "未注明部门或单位；请以部门或单位身份登录",
        )


def _demand_official(caller: Caller) -> None:
    if OFFICIALS.isdisjoint(caller.roles):
        names = ", ".join(sorted(OFFICIALS))
        raise Denied(
            f"a month that is still open, and the records behind a number, take one of the roles: {names}",
            f"查看未关账月份或指标明细需要以下角色之一：{names}",
            reason="ROLE_MISSING",
        )
