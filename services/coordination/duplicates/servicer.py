"""CheckDuplicates on the wire: it explains, and changes nothing."""
# ruff: noqa: N802 - a method is named as its RPC

import datetime
from dataclasses import dataclass

import sqlalchemy as sa

from kernel.case import Caller, Role
from kernel.consumer import SHARD
from kernel.dates import business_date
from kernel.errors import Invalid, NotFound
from kernel.rights import demand_role
from kernel.room import Room
from luoshu.coordination.v1 import findings_pb2 as pb
from luoshu.funding.v1 import funding_pb2 as funding
from services.coordination.duplicates.document import Document
from services.coordination.duplicates.search import Search

OFFICIALS = frozenset({Role.CASE_OFFICER, Role.APPROVER, Role.AUDITOR})
MOST = 10
SOURCE = "funding"


@dataclass(frozen=True)
class DuplicatesServicer:
    """Answers from the index."""

    room: Room
    search: Search

    @classmethod
    def of(cls, room: Room) -> "DuplicatesServicer":
        return cls(room, Search.of(room))

    async def CheckDuplicates(
        self, request: pb.CheckDuplicatesRequest, caller: Caller
    ) -> pb.CheckDuplicatesResponse:
        """Raises Denied, NotFound (the application), Invalid (nothing to check)."""
        demand_role(caller, (*sorted(OFFICIALS), Role.APPLICANT), "CheckDuplicates")
        return await self.room.read(self._checked, request, caller)

    def _checked(
        self, tx: sa.Connection, request: pb.CheckDuplicatesRequest, caller: Caller
    ) -> pb.CheckDuplicatesResponse:
        document = self._document(tx, request, caller)
        own_only = OFFICIALS.isdisjoint(caller.roles)
        known = self.search.index.vector(tx, document.number) if request.application else b""
        found = self.search.candidates(tx, document, self._today(), known)
        if own_only:
            found = [c for c in found if self._is_own(tx, c.application, caller)]
        documents, bare = self.search.index.extent(tx)
        installed = self.search.meanings is not None
        return pb.CheckDuplicatesResponse(
            candidates=found[: request.most or MOST],
            funding_position=self.room.store.cursors(tx).get((SOURCE, SHARD), 0),
            documents=documents,
            cross_language=pb.CROSS_LANGUAGE_CHECKED
            if installed
            else pb.CROSS_LANGUAGE_NOT_INSTALLED,
            documents_without_vectors=bare,
            own_only=own_only,
        )

    def _document(
        self, tx: sa.Connection, request: pb.CheckDuplicatesRequest, caller: Caller
    ) -> Document:
        if request.application:
            return self._known(tx, request.application, caller)
        if not (request.title or request.abstract):
            raise Invalid(
                "say which application, or give a title and an abstract",
                "请指明申报书，或提供题目与摘要",
                field="application",
                reason="NOTHING_TO_CHECK",
            )
        unit = request.unit or ("" if OFFICIALS & caller.roles else caller.department)
        given = funding.Application(
            title=request.title,
            abstract=request.abstract,
            state=funding.Application.STATE_SUBMITTED,
            applicant_unit=funding.Unit(code=unit),
        )
        return Document(given)

    def _known(self, tx: sa.Connection, name: str, caller: Caller) -> Document:
        """Return an application that the caller's department or unit works on; to others it is not there."""
        document = self.search.index.get(tx, name)
        if document is None or not _may_check(document, caller):
            raise NotFound(
                f"no {name} here, or none that you may check; its event may still be on the way",
                f"没有 {name}，或无权查重；该申报书的事件可能尚未送达，请稍后再试",
                field="application",
            )
        as_if = funding.Application()
        as_if.CopyFrom(document.application)
        as_if.state = as_if.state if document.is_in else funding.Application.STATE_SUBMITTED
        return Document(as_if, document.position)

    def _is_own(self, tx: sa.Connection, name: str, caller: Caller) -> bool:
        other = self.search.index.get(tx, name)
        return other is not None and other.application.owner_unit == caller.department

    def _today(self) -> datetime.date:
        return business_date(self.room.writer.clock())


def _may_check(document: Document, caller: Caller) -> bool:
    if Role.AUDITOR in caller.roles:
        return True
    near = {document.application.owner_unit, document.department}
    if OFFICIALS & caller.roles and document.is_in:
        near.update(document.application.concerned_departments)
    return caller.department in near - {""}
