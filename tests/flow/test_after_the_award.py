"""Ways round a department's objection, tried on the real services: each is refused as the script says."""

import asyncio
from pathlib import Path
from typing import Any

from app.story.__main__ import PACK
from app.story.playing import played
from app.story.script import read
from luoshu.funding.v1 import funding_pb2 as funding

STORIES = Path(__file__).with_name("stories")
NAME = "applications/swarm"
INSTALMENT = 10_000_000  # fen, as the script pays it
OBJECTED, AGREED = funding.JOINT_REVIEW_OUTCOME_OBJECTED, funding.JOINT_REVIEW_OUTCOME_AGREED


def ended(story: str, folder: Path) -> Any:
    """Play a script, and return the application as it stands at its end."""
    script = read(STORIES / story)
    told = asyncio.run(played(script, folder, PACK))
    refused = [line.refusal.code for line in told if line.refusal]
    assert refused == [step.refused for step in script.steps if step.refused]
    events = [line.event for line in told if line.event]
    return [event.application for event in events if event.change.record == NAME][-1]


def test_no_way_round_an_objection_pays(tmp_path: Path) -> None:
    award = ended("after_the_award.yaml", tmp_path)
    assert award.paid_fen == 2 * INSTALMENT
    answers = [change.joint_review_outcome for change in award.changes]
    # A delay, taken back before anybody answered; the budget twice, and a delay, to which Finance agreed in the end.
    assert answers == [0, AGREED, OBJECTED, AGREED, AGREED]


def test_an_award_without_a_joint_review_is_made_once_its_text_was_compared(tmp_path: Path) -> None:
    award = ended("without_departments.yaml", tmp_path)
    assert award.duplicate_check.compared_revision > award.duplicate_check.basis_revision
    assert award.approved_fen
