"""What funding answers besides the common RPCs: statements out of its ledger, and what the rules say."""
# ruff: noqa: N802 - a method is named as its RPC

import sqlalchemy as sa

from kernel.case import Caller
from kernel.dates import from_date, to_date
from kernel.errors import NotFound
from kernel.inquiry import case_of
from kernel.rights import may_see
from kernel.room import Room
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.checks import NEXT, Stage
from services.funding.eligibility import STAGES, explain, told
from services.funding.statement import Statements


class Answers:
    """The RPCs that only funding has; a method is named as its RPC."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def GetStatement(self, request: pb.GetStatementRequest, caller: Caller) -> pb.Statement:
        """Raises Invalid: a position that is still to come, or another list's page token."""
        room = self._room
        return await room.read(Statements(room.store, room.tokens).state, request, caller)

    async def CheckEligibility(
        self, request: pb.CheckEligibilityRequest, caller: Caller
    ) -> pb.Eligibility:
        """Raises NotFound."""
        found = await self._room.find(request.name)
        # Of what is published everybody sees the record, not what the rules say of its people.
        if found is None or not may_see(caller, found.readers, public=False):
            raise NotFound(
                f"no {request.name}, or none whose eligibility you may see",
                f"没有 {request.name}，或无权查看其资格核查",
                field="name",
            )
        return await self._room.read(_explained, self._room, request, caller)


def _explained(
    tx: sa.Connection, room: Room, request: pb.CheckEligibilityRequest, caller: Caller
) -> pb.Eligibility:
    case = case_of(tx, room, request.name, caller)
    application: pb.Application = case.get(request.name)
    asked = next((stage for stage, wire in STAGES.items() if wire == request.stage), None)
    stage = asked or NEXT.get(application.state, Stage.APPROVAL)
    day = to_date(request.date, "date")
    found = list(explain(application, stage, case, day=day))
    return pb.Eligibility(
        application=request.name,
        stage=STAGES[stage],
        date=from_date(day or case.today),
        eligible=not any(each.fails for each in found),
        findings=[told(each) for each in found],
    )
