"""Ten ways round an objection to a change after the award, tried on the real services: each is refused as the script says."""

import asyncio
from pathlib import Path

from app.story.__main__ import PACK
from app.story.playing import played
from app.story.script import read
from luoshu.funding.v1 import funding_pb2 as funding

SCRIPT = Path(__file__).with_name("stories") / "after_the_award.yaml"
NAME = "applications/swarm"
INSTALMENT = 10_000_000  # fen, as the script pays it
OBJECTED, AGREED = funding.JOINT_REVIEW_OUTCOME_OBJECTED, funding.JOINT_REVIEW_OUTCOME_AGREED


def test_no_way_round_an_objection_pays(tmp_path: Path) -> None:
    script = read(SCRIPT)
    told = asyncio.run(played(script, tmp_path, PACK))
    refused = [line.refusal.code for line in told if line.refusal]
    assert refused == [step.refused for step in script.steps if step.refused]
    events = [line.event for line in told if line.event]
    award = [e.application for e in events if e.change.record == NAME][-1]
    assert award.paid_fen == 2 * INSTALMENT
    answers = [change.joint_review_outcome for change in award.changes]
    # A delay, taken back before anybody answered; the budget twice, and a delay, to which Finance agreed in the end.
    assert answers == [0, AGREED, OBJECTED, AGREED, AGREED]
