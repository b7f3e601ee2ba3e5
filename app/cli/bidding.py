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

    Repeated, it sends the same seal again. 只提交封印；内容与盐值保存在 CONTENT.opening，请妥善保管，遗失则无法开标。
    """
    said = _content(_read(content))
    _demand_revealable(said)
    kept = content.with_name(f"{content.name}.opening")
    salt = _kept_salt(kept, said) if kept.exists() else _keep(kept, said, new_salt())
    digest = seal_of(said, salt)
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
    kept = _read(opening)
    if not {"content", "salt"} <= kept.keys():
        raise Failure(
            f"{opening} is no opening; give the file that `luoshu bid seal` kept",
            f"{opening} 不是开标凭据；请给出 luoshu bid seal 保存的文件",
        )
    said, salt = _content(kept["content"]), str(kept["salt"])
    calls = session(ctx).client.technologies
    record = calls.GetBreakthrough(pb.GetBreakthroughRequest(name=breakthrough))
    request = pb.RevealBidBreakthroughRequest(
        name=breakthrough, bid=_bid_of(record, seal_of(said, salt)), content=said, salt=salt
    )
    request.request_id = f"reveal-{hashlib.sha256(salt.encode()).hexdigest()[:32]}"
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
    import protovalidate

    from kernel.violations import broken

    if found := broken(protovalidate.Validator(), said):
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


def _keep(file: Path, said: pb.BidContent, salt: str) -> str:
    """Write down what the opening takes, before anything is handed in; for nobody else to read. Return the salt."""
    kept = {
        "content": json_format.MessageToDict(said, preserving_proto_field_name=True),
        "salt": salt,
    }
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as out:
        json.dump(kept, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    return salt


def _kept_salt(file: Path, said: pb.BidContent) -> str:
    """Return the salt of a seal that was made before. Raises Failure: it is of another content."""
    kept = _read(file)
    if _content(kept["content"]) != said:
        raise Failure(
            f"{file} opens another content: without it that bid cannot be revealed; move it away first",
            f"{file} 对应另一份内容：丢失后该揭榜无法开标；请先移走",
        )
    return str(kept["salt"])


def _bid_of(record: Any, digest: str) -> str:
    """Return the id of the bid with this seal. Raises Failure: there is none."""
    for one in record.bids:
        if one.seal == digest and not one.withdrawn:
            return str(one.id)
    raise Failure(
        f"no bid of {record.name} has this seal; was it handed in for another technology?",
        f"{record.name} 没有该封印的揭榜；请核对榜单",
    )
