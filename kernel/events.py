"""Parked events, as an operator sees them and tries them again."""
# ruff: noqa: N802 - a method is named as its RPC

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from kernel import metrics
from kernel.access import Access, Kind
from kernel.access_store import Recorder
from kernel.case import Caller, Role
from kernel.errors import NotFound
from kernel.parking import Parked, Parks, Redriven, change_of, redrive
from kernel.rights import demand_role
from luoshu.events.v1 import events_pb2 as pb


class EventServicer:
    """Serves the sinks of one process. `sinks`: by the consumer's name; `recorders`: of what an operator did, by service."""

    def __init__(self, sinks: Mapping[str, Parks], recorders: Mapping[str, Recorder]) -> None:
        self._sinks, self._recorders = sinks, recorders

    async def ListParkedEvents(
        self, request: pb.ListParkedEventsRequest, caller: Caller
    ) -> pb.ListParkedEventsResponse:
        """Raises Denied, NotFound."""
        demand_role(caller, (Role.OPERATOR, Role.AUDITOR), "ListParkedEvents")
        answer = pb.ListParkedEventsResponse()
        for sink in self._chosen(request.consumer):
            parked = await asyncio.to_thread(sink.parked)
            answer.events.extend(_message(sink.name, one) for one in parked)
        return answer

    async def RedriveParkedEvents(
        self, request: pb.RedriveParkedEventsRequest, caller: Caller
    ) -> pb.RedriveParkedEventsResponse:
        """Raises Denied, NotFound."""
        demand_role(caller, (Role.OPERATOR,), "RedriveParkedEvents")
        answer = pb.RedriveParkedEventsResponse()
        for sink in self._chosen(request.consumer):
            done = await asyncio.to_thread(redrive, sink, request.source, request.record)
            recorder = self._recorders[sink.name]
            mark = recorder.mark(request.SerializeToString(deterministic=True))
            await recorder.record(*(_act(caller, one, request.reason, mark) for one in done))
            for one in done:
                of = answer.failed if one.error else answer.applied
                of.append(_message(sink.name, one.parked, one.error))
        return answer

    def _chosen(self, consumer: str) -> Sequence[Parks]:
        if not consumer:
            return list(self._sinks.values())
        if consumer not in self._sinks:
            known = ", ".join(self._sinks) or "-"
            raise NotFound(
                f"no consumer {consumer} here; there are: {known}",
                f"此处没有消费者 {consumer}；可用：{known}",
                field="consumer",
            )
        return [self._sinks[consumer]]


def measure(sinks: Iterable[Parks]) -> None:
    """Tell how many events wait for an operator."""
    for sink in sinks:
        metrics.PARKED.labels(sink.name).set(len(sink.parked()))


def _act(caller: Caller, one: Redriven, reason: str, mark: bytes) -> Access:
    parked = one.parked
    return Access(
        Kind.REDRIVEN,
        caller,
        "RedriveParkedEvents",
        parked.record,
        request_hash=mark,
        reason=reason,
        details={"source": parked.source, "position": str(parked.position), "error": one.error},
    )


def _message(consumer: str, parked: Parked, error: str | None = None) -> pb.ParkedEvent:
    made = pb.ParkedEvent(
        consumer=consumer,
        source=parked.source,
        position=parked.position,
        record=parked.record,
        action=change_of(parked.entry).action,
        error=parked.error if error is None else error,
        tries=parked.tries + (error is not None),
    )
    made.park_time.FromMicroseconds(parked.parked_time)
    return made
