"""`luoshu events`: what consumers could not apply, and trying it again."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import click

from app.cli.output import as_json, moment, table
from app.cli.session import GLOBAL_OPTIONS, Command, session
from luoshu.client import NotFound
from luoshu.events.v1 import events_pb2 as pb

FAILED = 5
"""Exit code where an event failed again."""
COLUMNS = ("consumer", "source", "position", "record", "action", "error", "tries", "parked")

consumer_option = click.option("--consumer", default="", help="Only of one, such as reports.")


@click.group(params=list(GLOBAL_OPTIONS))
def events() -> None:
    """Events that a consumer could not apply. Role: operator.

    消费者无法处理、已搁置的事件。角色：operator。
    """


@events.command(cls=Command)
@consumer_option
@click.pass_context
def parked(ctx: click.Context, consumer: str) -> None:
    """List parked events; one without an error waits behind an earlier one of its record.

    列出搁置的事件；无错误者在等待同一记录的前一事件。
    """
    stub, found = session(ctx).client.events, pb.ListParkedEventsResponse()
    for name in _asked(ctx, consumer):
        with _passing_over(name != consumer):
            found.MergeFrom(stub.ListParkedEvents(pb.ListParkedEventsRequest(consumer=name)))
    if session(ctx).output == "json":
        click.echo(as_json(found))
    else:
        _show(found.events)


@events.command(cls=Command)
@click.argument("record", default="")
@consumer_option
@click.option("--source", default="", help="Only of one journal, such as platforms.")
@click.option("--reason", default="", help="Why; it is kept and names no person.")
@click.pass_context
def redrive(ctx: click.Context, record: str, consumer: str, source: str, reason: str) -> int:
    """Try parked events again: of RECORD, or all; exit code 5 where one failed again.

    重新处理搁置的事件：指定记录，或全部。
    """
    stub, done = session(ctx).client.events, pb.RedriveParkedEventsResponse()
    for name in _asked(ctx, consumer):
        request = pb.RedriveParkedEventsRequest(
            record=record, consumer=name, source=source, reason=reason
        )
        with _passing_over(name != consumer):
            done.MergeFrom(stub.RedriveParkedEvents(request))
    if session(ctx).output == "json":
        click.echo(as_json(done))
    else:
        _show(done.failed)
        said = f"{len(done.applied)} applied, {len(done.failed)} failed again"
        click.echo(f"{said} / 已处理 {len(done.applied)}，仍失败 {len(done.failed)}")
    return FAILED if done.failed else 0


def _asked(ctx: click.Context, consumer: str) -> Sequence[str]:
    """Return the consumers to ask: one process answers for all, services that run apart each for itself."""
    return [consumer] if consumer else session(ctx).client.services or [""]


@contextlib.contextmanager
def _passing_over(passes: bool) -> Iterator[None]:
    """A service that consumes nothing is passed over, unless it was named."""
    try:
        yield
    except NotFound:
        if not passes:
            raise


def _show(found: Sequence[Any]) -> None:
    table(
        COLUMNS,
        [
            (e.consumer, e.source, str(e.position), e.record, e.action, e.error, str(e.tries), moment(e.park_time))
            for e in found
        ],
    )  # fmt: skip
