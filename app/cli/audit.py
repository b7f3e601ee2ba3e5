"""`luoshu audit`: search the log, read its checkpoint, and verify it without trusting its keeper."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from app.cli.bundles import BROKEN
from app.cli.failures import Failure, complain
from app.cli.files import Target, text_of
from app.cli.output import as_json, moment, table
from app.cli.session import GLOBAL_OPTIONS, Command, session
from app.cli.values import BOUND, set_span
from luoshu.audit.v1 import audit_pb2
from luoshu.client import iterate
from luoshu.journal.v1 import journal_pb2

COLUMNS = (
    "index",
    "committed",
    "source",
    "position",
    "record",
    "action",
    "actor",
    "department",
    "roles",
)
SHOWN = 50
"""Entries that a screen gets where no limit is given."""


@click.group(params=list(GLOBAL_OPTIONS))
def audit() -> None:
    """Search and verify the audit log. Role: auditor."""


SUITE = click.option(
    "--suite",
    type=click.Choice(["sha256-ed25519", "sm3-sm2"]),
    help="Which log; sha256-ed25519, or the second one where it is kept.",
)


def suite_on_wire(suite: str | None) -> Any:
    return audit_pb2.SUITE_SM3_SM2 if suite == "sm3-sm2" else audit_pb2.SUITE_UNSPECIFIED


CONDITIONS = (
    click.option("--record", default="", help="Of one record, such as platforms/x."),
    click.option("--actor", default="", help="By one account."),
    click.option("--action", default="", help="One action, such as approve."),
    click.option("--department", default="", help="For one department or unit."),
    click.option("--source", default="", help="Of one journal, such as funding."),
    click.option("--since", metavar="WHEN", help=f"Committed then or later: {BOUND}."),
    click.option("--until", metavar="WHEN", help="Committed before: the same."),
)


def conditions_of_entries(command: Any) -> Any:
    """Give a command the options by which entries are searched."""
    for option in reversed(CONDITIONS):
        command = option(command)
    return command


@audit.command(cls=Command)
@conditions_of_entries
@click.option("--oldest-first", is_flag=True)
@click.option(
    "--limit", default=SHOWN, type=click.IntRange(min=1), help=f"At most so many; {SHOWN}."
)
@click.pass_context
def entries(
    ctx: click.Context, /, since: str | None, until: str | None, limit: int, **conditions: Any
) -> None:
    """Search: who did what to which record, for whom, under which rights."""
    request = _request(since, until, page_size=page_size(limit), **conditions)
    found, more = first(iterate(session(ctx).client.audit.ListEntries, request), limit)
    if session(ctx).output == "json":
        click.echo("[" + ",\n ".join(as_json(entry) for entry in found) + "]")
    else:
        table(COLUMNS, [_cells(entry) for entry in found])
    if more:
        tell_more(len(found), "luoshu audit export --out FILE.zip")


def page_size(most: int | None) -> int:
    """Return how many to ask for at once: one more than wanted tells whether there are more."""
    return min(most + 1, 1000) if most else 1000


def first(entries: Iterable[Any], most: int | None) -> tuple[list[Any], bool]:
    """Return the first entries, all where `most` is None, and whether there are more."""
    found = list(islice(entries, most + 1 if most else None))
    return found[:most], most is not None and len(found) > most


def tell_more(shown: int, every: str) -> None:
    click.echo(
        f"there are more than these {shown}: --limit N, or all by {every}\n"
        f"不止这 {shown} 条：可用 --limit N，或用 {every} 取得全部",
        err=True,
    )


def _request(
    since: str | None, until: str | None, **conditions: Any
) -> audit_pb2.ListEntriesRequest:
    request = audit_pb2.ListEntriesRequest(**conditions)
    set_span(request, since, until)
    return request


def _cells(entry: Any) -> list[str]:
    change = entry.change
    where = [str(entry.index), moment(change.commit_time), entry.source, str(entry.position)]
    return [
        *where,
        change.record,
        change.action,
        change.actor,
        change.department,
        ",".join(change.roles),
    ]


@audit.command(cls=Command)
@click.option(
    "--size", default=0, type=click.IntRange(min=0), help="Of that tree size; the newest."
)
@click.option("--key", is_flag=True, help="Print the log's verifier key instead.")
@SUITE
@click.pass_context
def checkpoint(ctx: click.Context, size: int, key: bool, suite: str | None) -> None:
    """Print a signed checkpoint (C2SP): keep it, and `audit verify --kept FILE` holds the log to
    it.
    """
    request = audit_pb2.GetCheckpointRequest(size=size, suite=suite_on_wire(suite))
    found = session(ctx).client.audit.GetCheckpoint(request)
    if session(ctx).output == "json":
        click.echo(as_json(found))
    else:
        click.echo(found.verifier_key if key else found.note, nl=key)


@audit.command(cls=Command)
@conditions_of_entries
@click.option("--out", required=True, type=Target(), help="The file.")
@SUITE
@click.pass_context
def export(
    ctx: click.Context,
    /,
    out: Path,
    suite: str | None,
    since: str | None,
    until: str | None,
    **conditions: Any,
) -> None:
    """Write a bundle: entries, proofs, checkpoint, cosignatures and keys, to be checked offline.

    Without conditions the whole log, whose completeness can be checked; with them the entries that fit, each
    with its proof.
    """
    from app.cli import bundles

    some = bool(since or until or any(conditions.values()))
    request = _request(
        since, until, page_size=1000, include_event=True, oldest_first=True, **conditions
    )
    source = bundles.Source(session(ctx).client.audit, suite_on_wire(suite))
    count = bundles.write(source, out, request if some else None)
    click.echo(f"{out}: {count} entries\n{out}：{count} 条")
    if not count:
        click.echo("no entry fits the conditions\n没有符合条件的记录", err=True)


@audit.command(cls=Command)
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keys you trust, for FILE.",
)
@click.option("--key", default="", help="The log's verifier key, or a file with it, as you got it.")
@click.option(
    "--kept",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint.",
)
@click.option(
    "--journal",
    "sources",
    multiple=True,
    help="Compare with a service's journal too; without FILE only.",
)
@SUITE
@click.pass_context
def verify(
    ctx: click.Context,
    file: Path | None,
    policy: Path | None,
    key: str,
    kept: tuple[Path, ...],
    sources: tuple[str, ...],
    suite: str | None,
) -> int:
    """Recompute the log from its entries and hold it to what was signed, and to the journals.

    FILE: a bundle that `audit export` wrote; it is checked offline. The log's key, which it names, tells its suite.
    """
    earlier = [text_of(path) for path in kept]
    own = _key(key)
    chosen = _suite(own, suite)
    if file is not None:
        _demand_offline(policy, key, sources, suite)
        from app.cli import bundles

        return bundles.verify(file, bundles.policy_of(policy), own, earlier)
    if policy:
        raise Failure(
            "--policy is for a bundle, FILE; hold the live log to the key that you trust by --key",
            "--policy 仅用于审计包 FILE；核验在线日志请用 --key 给出您信任的公钥",
        )
    from services.audit.verify import verify_log

    newest = session(ctx).client.audit.GetCheckpoint(
        audit_pb2.GetCheckpointRequest(suite=suite_on_wire(chosen))
    )
    trusted = own or newest.verifier_key
    _suite(trusted, chosen)
    outcome = verify_log(
        _entries(ctx, newest.size, suite=chosen), newest.note, trusted, earlier=earlier
    )
    findings = list(outcome.findings)
    for source in sources:
        findings += _compared(ctx, source, newest.size)
    _tell(outcome.size, findings, told_key=bool(key))
    if not findings:
        for path, note in zip(kept, earlier, strict=True):
            _tell_kept(path, note)
    return BROKEN if findings else 0


def _demand_offline(
    policy: Path | None, key: str, sources: Sequence[str], suite: str | None
) -> None:
    """Raises Failure: an option is given that says nothing of a bundle."""
    if sources:
        raise Failure(
            "a bundle is checked offline, without journals: leave --journal out, or leave FILE out to verify the live log",
            "审计包离线核验，不与流水比对：请去掉 --journal；如需核验在线日志，请去掉 FILE",
        )
    if suite:
        raise Failure(
            "a bundle's own key tells its suite: leave --suite out",
            "审计包由其日志公钥确定算法套件：请去掉 --suite",
        )
    if policy and key:
        raise Failure(
            "--policy names the log's key already: give --policy or --key",
            "--policy 已含日志公钥：请只给出 --policy 或 --key 之一",
        )


def _suite(key: str, suite: str | None) -> str | None:
    """Return which log is meant: the key's type tells it. Raises Failure: it is no log's key, or not of the suite asked for."""
    from services.audit.keys import Malformed, parse_verifier
    from services.audit.suites import LOGS

    if not key:
        return suite
    try:
        verifier = parse_verifier(key)
    except Malformed as error:
        raise Failure(f"the verifier key is none: {error}", f"核验公钥无效：{error.zh}") from None
    own = verifier.suite.name
    if verifier.suite not in LOGS:
        raise Failure(
            f"the key of {verifier.name} is no log's but a witness's: give the log's, luoshu audit checkpoint --key prints it",
            f"{verifier.name} 的公钥属于见证方而非日志：请给出日志公钥，由 luoshu audit checkpoint --key 输出",
        )
    if suite not in (own, None):
        raise Failure(
            f"the key is of a log of {own}, and --suite says {suite}: give that log's own key",
            f"公钥属于 {own} 日志，而 --suite 为 {suite}：请给出该日志自己的公钥",
        )
    return own


def _tell_kept(path: Path, note: str) -> None:
    """Say that a checkpoint was checked, with the size that its second line tells (C2SP)."""
    size = [*note.splitlines(), "", ""][1]
    click.echo(
        f"{path}: the log still holds the {size} entries of this checkpoint\n"
        f"{path}：日志仍包含该检查点的 {size} 条记录"
    )


def _key(word: str) -> str:
    """Return the key itself, from a file where the word is one."""
    path = Path(word)
    return text_of(path).strip() if word and len(word) < 256 and path.is_file() else word


def _entries(ctx: click.Context, size: int, *, suite: str | None = None) -> Iterator[Any]:
    """Yield the entries that the checkpoint covers; younger ones no signature speaks for yet.

    The hash beside an entry is the first log's.
    """
    from services.audit.domain import from_wire, without_hash

    request = audit_pb2.ListEntriesRequest(page_size=1000, include_event=True, oldest_first=True)
    for entry in iterate(session(ctx).client.audit.ListEntries, request):
        if entry.index >= size:
            return
        yield without_hash(from_wire(entry)) if suite == "sm3-sm2" else from_wire(entry)


def _compared(ctx: click.Context, source: str, size: int) -> Sequence[Any]:
    from services.audit.verify import compare_journal

    request = journal_pb2.ReadJournalRequest(source=source)
    journal = session(ctx).client.journal.ReadJournal(request)
    comparison = compare_journal(_entries(ctx, size), journal, source)
    click.echo(
        f"{source}: {comparison.agreed} agree · 一致, {comparison.pending} not yet covered · 尚未覆盖"
    )
    return [comparison.finding] if comparison.finding else []


def _tell(size: int, findings: Sequence[Any], *, told_key: bool) -> None:
    for finding in findings:
        complain(finding.en, finding.zh)
    if not told_key:
        click.echo(
            "the key came from the log itself; keep it once (luoshu audit checkpoint --key > log.key), "
            "and give the one that you trust by --key log.key\n"
            "公钥来自日志自身；请先保存公钥（luoshu audit checkpoint --key > log.key），"
            "再用 --key log.key 给出您信任的公钥",
            err=True,
        )
    if not findings:
        click.echo(f"{size} entries are what was signed\n{size} 条记录与签署内容一致")
