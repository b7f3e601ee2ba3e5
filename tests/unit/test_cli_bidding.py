"""`luoshu bid`: content and salt are kept before a seal is handed in, for the bidder alone."""

import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf import json_format

from app.cli.bidding import bid
from app.cli.failures import Failure
from app.cli.session import Session
from luoshu.client.seals import seal_of
from luoshu.technologies.v1 import technologies_pb2 as pb

UNIT = "91110000710926094P"
SAID = {"units": [{"name": "甲"}, {"name": "乙"}, {"name": "丙"}], "plan": "三步"}


class Register:
    """Answers as the service would, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.record = pb.Breakthrough(name="breakthroughs/bearing")

    def SubmitBidBreakthrough(self, request: Any) -> pb.Breakthrough:  # noqa: N802
        self.asked.append(request)
        self.record.bids.add(id=f"b{len(self.record.bids) + 1}", seal=request.seal)
        return self.record

    def GetBreakthrough(self, request: Any) -> pb.Breakthrough:  # noqa: N802
        return self.record

    def RevealBidBreakthrough(self, request: Any) -> pb.Breakthrough:  # noqa: N802
        self.asked.append(request)
        return self.record


class Connected(Session):
    def __init__(self, register: Register) -> None:
        super().__init__(output="json", caller=f"{UNIT}:yanfa")
        self.clients = [SimpleNamespace(technologies=register, close=lambda: None)]  # type: ignore[list-item]


def run(register: Register, *arguments: str) -> None:
    done = CliRunner().invoke(bid, arguments, obj=Connected(register), catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture
def content(tmp_path: Path) -> Path:
    file = tmp_path / "bid.json"
    file.write_text(json.dumps(SAID))
    return file


def test_a_seal_is_kept_for_the_bidder_alone_and_reveals_itself(content: Path) -> None:
    register, kept = Register(), content.with_name("bid.json.opening")
    run(register, "seal", "breakthroughs/bearing", str(content))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    run(register, "reveal", "breakthroughs/bearing", str(kept))
    sealed, revealed = register.asked
    assert not sealed.units
    assert revealed.bid == "b1"
    mine = {"breakthrough": "breakthroughs/bearing", "bidder": UNIT}
    assert sealed.seal == seal_of(
        pb.SealedBid(**mine, salt=revealed.salt, content=revealed.content)  # type: ignore[arg-type]
    )


def test_an_opening_made_for_another_technology_or_unit_is_told_before_anything_is_sent(
    content: Path,
) -> None:
    register, kept = Register(), content.with_name("bid.json.opening")
    run(register, "seal", "breakthroughs/bearing", str(content))
    for verb, file in (("seal", content), ("reveal", kept)):
        with pytest.raises(Failure, match="opens a bid for breakthroughs/bearing"):
            run(register, verb, "breakthroughs/boiler", str(file))
    assert len(register.asked) == 1


def test_a_repeat_sends_the_same_seal_again(content: Path) -> None:
    register = Register()
    run(register, "seal", "breakthroughs/bearing", str(content))
    run(register, "seal", "breakthroughs/bearing", str(content))
    first, second = register.asked
    assert (first.seal, first.request_id) == (second.seal, second.request_id)


def test_another_content_does_not_overwrite_what_opens_a_bid(content: Path) -> None:
    register = Register()
    run(register, "seal", "breakthroughs/bearing", str(content))
    content.write_text(json.dumps({**SAID, "plan": "四步"}))
    with pytest.raises(Failure, match="another content"):
        run(register, "seal", "breakthroughs/bearing", str(content))
    kept = json.loads(content.with_name("bid.json.opening").read_text())
    assert json_format.ParseDict(kept["content"], pb.BidContent()).plan == "三步"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("不是", "is no JSON"),
        ("[1]", "holds no JSON object"),
        ('{"units": [{"name": "甲"}]}', "could not be revealed: plan"),
    ],
)
def test_a_content_that_could_not_be_revealed_is_not_sealed(
    tmp_path: Path, text: str, why: str
) -> None:
    register, file = Register(), tmp_path / "bid.json"
    file.write_text(text)
    with pytest.raises(Failure, match=why):
        run(register, "seal", "breakthroughs/bearing", str(file))
    assert not register.asked
    assert not file.with_name("bid.json.opening").exists()


def test_what_is_no_opening_reveals_nothing(content: Path) -> None:
    register = Register()
    with pytest.raises(Failure, match="is no opening"):
        run(register, "reveal", "breakthroughs/bearing", str(content))
    assert not register.asked
