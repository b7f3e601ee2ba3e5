"""`luoshu bid`: a sealed bid, handed in and revealed. The content stays in a file of the bidder's until the bidding is closed."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import click
from google.protobuf import json_format

from app.cli.failures import Failure
from app.cli.records import print_record
from app.cli.session import Command, session
from luoshu.client.seals import new_salt, seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb

OWNER_ONLY = 0o600


@click.group("bid")
def bid() -> None:
    """Sealed bids: hand one in, reveal it after the closing. 揭榜：密封提交，截止后开标。"""


@bid.command("seal", cls=Command)
@click.argument("breakthrough")
@click.argument("content", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def seal(ctx: click.Context, breakthrough: str, content: Path) -> None:
    """Hand in the seal of CONTENT (JSON: units, plan, requested_fen) and keep content and salt in CONTENT.opening.

    CONTENT: {"units": [{"name": "…", "code": "…"}], "plan": "…", "requested_fen": 1200000000}, the undertaking unit first.

    The seal is made for this BREAKTHROUGH and for the unit that you act for: for any other it does not open.

    Repeated, it sends the same seal again. 只提交封印；内容与盐值保存在 CONTENT.opening，请妥善保管，遗失则无法开标。
    封印只对该榜单和本单位有效。
    """
    said = pb.SealedBid(
        breakthrough=breakthrough,
        bidder=session(ctx).department,
        salt=new_salt(),
        content=_content(_read(content)),
    )
    _demand_revealable(said.content)
    kept = content.with_name(f"{content.name}.opening")
    digest = seal_of(_kept(kept, said) if kept.exists() else _keep(kept, said))
    request = pb.SubmitBidBreakthroughRequest(
        name=breakthrough, seal=digest, request_id=f"bid-{digest[:32]}"
    )
    record = session(ctx).client.technologies.SubmitBidBreakthrough(request)
    click.echo(f"seal · 封印 {digest}\nkept for the opening · 开标凭据 {kept}", err=True)
    print_record(ctx, record)


@bid.command("reveal", cls=Command)
@click.argument("breakthrough")
@click.argument("opening", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--leader", default="", help="Who would lead the work.")
@click.pass_context
def reveal(ctx: click.Context, breakthrough: str, opening: Path, leader: str) -> None:
    """Reveal the bid that OPENING was kept of. 开标：公开密封的内容。"""
    kept = _opened(opening)
    calls = session(ctx).client.technologies
    _demand_own(kept, breakthrough, session(ctx).department, opening)
    record = calls.GetBreakthrough(pb.GetBreakthroughRequest(name=breakthrough))
    request = pb.RevealBidBreakthroughRequest(
        name=breakthrough,
        bid=_bid_of(record, seal_of(kept)),
        content=kept.content,
        salt=kept.salt,
    )
    request.request_id = f"reveal-{hashlib.sha256(kept.salt.encode()).hexdigest()[:32]}"
    if leader:
        request.leader.name = leader
    print_record(ctx, calls.RevealBidBreakthrough(request))


def _read(file: Path) -> dict[str, Any]:
    """Return the object in a file. Raises Failure: there is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Failure(f"{file} is no JSON: {error}", f"{file} 不是 JSON：{error}") from None
    if not isinstance(found, dict):
        raise Failure(f"{file} holds no JSON object", f"{file} 不是 JSON 对象")
    return found


def _demand_revealable(said: pb.BidContent) -> None:
    """Raises Failure for a content that would be refused when it is revealed, which is too late."""
    from kernel.rules import Rules

    if found := Rules().broken(said):
        raise Failure(
            "the content could not be revealed: " + "; ".join(f"{p.field}: {p.en}" for p in found),
            "该内容将无法开标：" + "；".join(f"{p.field}：{p.zh}" for p in found),
        )


def _content(said: dict[str, Any]) -> pb.BidContent:
    try:
        return json_format.ParseDict(said, pb.BidContent())
    except json_format.ParseError as error:
        raise Failure(
            f"the content is not as a bid's: {error}; it holds units, plan and requested_fen",
            f"内容格式有误：{error}；应包含 units、plan、requested_fen",
        ) from None


def _keep(file: Path, said: pb.SealedBid) -> pb.SealedBid:
    """Write down what the opening takes, before anything is handed in; for nobody else to read. Return it."""
    kept = json_format.MessageToDict(said, preserving_proto_field_name=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as out:
        json.dump(kept, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    return said


def _opened(file: Path) -> pb.SealedBid:
    """Return what was kept for an opening. Raises Failure: the file is another."""
    try:
        kept = json_format.ParseDict(_read(file), pb.SealedBid())
    except json_format.ParseError:
        kept = pb.SealedBid()
    if not (kept.salt and kept.HasField("content")):
        raise Failure(
            f"{file} is no opening; give the file that `luoshu bid seal` kept",
            f"{file} 不是开标凭据；请给出 luoshu bid seal 保存的文件",
        )
    return kept


def _kept(file: Path, said: pb.SealedBid) -> pb.SealedBid:
    """Return what was sealed before. Raises Failure: it was another content, or for another bid."""
    kept = _opened(file)
    _demand_own(kept, said.breakthrough, said.bidder, file)
    if kept.content != said.content:
        raise Failure(
            f"{file} opens another content: without it that bid cannot be revealed; move it away first",
            f"{file} 对应另一份内容：丢失后该揭榜无法开标；请先移走",
        )
    return kept


def _demand_own(kept: pb.SealedBid, breakthrough: str, bidder: str, file: Path) -> None:
    """Raises Failure for an opening that was made for another technology or unit: there it opens nothing."""
    if (kept.breakthrough, kept.bidder) != (breakthrough, bidder):
        made = f"{kept.breakthrough} --as {kept.bidder}"
        raise Failure(
            f"{file} opens a bid for {made}, not for {breakthrough} --as {bidder or '…'}; "
            "reveal it there, or move it away and seal anew",
            f"{file} 对应 {made}，而非 {breakthrough} --as {bidder or '…'}；请在原处开标，或移走后重新密封",
        )


def _bid_of(record: Any, digest: str) -> str:
    """Return the id of the bid with this seal. Raises Failure: there is none."""
    for one in record.bids:
        if one.seal == digest and not one.withdrawn:
            return str(one.id)
    raise Failure(
        f"no bid of {record.name} has this seal; was it handed in for another technology?",
        f"{record.name} 没有该封印的揭榜；请核对榜单",
    )
