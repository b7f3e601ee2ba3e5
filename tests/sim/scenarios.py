"""The histories that are played: small, and each with one thing that must not go wrong."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kernel.case import Caller
from kernel.dates import iso
from luoshu.coordination.v1 import coordination_pb2 as coordination
from luoshu.funding.v1 import funding_pb2 as funding
from luoshu.journal.v1.journal_pb2 import AccessEvent
from luoshu.platforms.v1 import platforms_pb2 as platforms
from services.coordination.consumer import review_of
from tests.invariants import accessed
from tests.sim.changing import CHANGE, CROSSING
from tests.sim.furnished import in_notice, reviewed
from tests.sim.kept import editions, reading
from tests.sim.people import (
    APPLICANT,
    APPROVER,
    ASKED,
    AWARD,
    BOTH,
    DIIT,
    IMPORTER,
    OFFICER,
    STRANGER,
    A,
    P,
    breakthrough,
    breakthrough_row,
    day,
    platform,
    platform_rows,
)
from tests.sim.script import OK, Call, Pass, Scenario, Until, call
from tests.sim.world import World

R = coordination.Review.State


def _create(key: str, **more: Any) -> Call:
    said = {"platform": platform(f"实验室 {key}"), "platform_id": key, **more}
    return call("CreatePlatform", APPLICANT, f"create-{key}", **said)


def _import_platforms(first: int, last: int, name: str) -> Call:
    rows = platform_rows(first, last)
    return call("ImportPlatforms", IMPORTER, name, source="old", rows=rows)


def _clash() -> Call:
    """Another request with a request id that was used."""
    said = {"platform": platform("他"), "platform_id": "c", "expected": ("REQUEST_ID_REUSED",)}
    return call("CreatePlatform", APPLICANT, "clash", request_id="create-b", **said)


def _submit(key: str, **more: Any) -> Call:
    return call("SubmitPlatform", APPLICANT, f"submit-{key}", name=f"platforms/{key}", **more)


def _retitle(key: str, title: str, **more: Any) -> Call:
    given = platforms.Platform(name=f"platforms/{key}", title=title, etag="r1")
    mask = {"paths": ["title"]}
    return call(
        "UpdatePlatform", APPLICANT, f"title-{title}", platform=given, update_mask=mask, **more
    )


def _one_edit(world: World) -> None:
    """Of two edits of what was read before, one is refused: else it would have undone the other."""
    codes = sorted(
        getattr(world.outcomes[f"title-{t}"], "code", OK) for t in ("甲实验室", "乙实验室")
    )
    assert codes == [OK, "STALE_ETAG"], codes
    assert world.record("platforms/one").state == P.STATE_SUBMITTED


def _none_of_batch(world: World) -> None:
    for key in ("d", "e"):
        assert world.record(f"platforms/{key}") is None, f"{key} of a batch that was refused"


def _merged(world: World) -> None:
    into = world.record("platforms/lab-2")
    assert world.record("platforms/lab-1").state == P.STATE_MERGED
    assert list(into.predecessors) == ["platforms/lab-1"], into.predecessors


def _batch(name: str, *keys: str, **more: Any) -> Call:
    items = [
        platforms.CreatePlatformRequest(platform=platform(f"实验室 {k}"), platform_id=k)
        for k in keys
    ]
    return call("BatchCreatePlatforms", APPLICANT, name, requests=items, **more)


# Denials.


def _denied(key: str, who: Caller, code: str) -> Call:
    return call("SubmitPlatform", who, key, name="platforms/a", expected=(code,))


def _each_denial_told(world: World) -> None:
    """I5: what was denied is in the access journal, a flood as one event that counts it; a repeat is counted again."""
    told = Counter[tuple[str, str]]()
    with reading("platforms").connect() as tx:
        for line in accessed(tx):
            event = AccessEvent.FromString(line.event)
            told[event.change.actor, event.access.code] += event.access.count
    assert told[APPROVER.actor, "ROLE_MISSING"] >= 3, f"I5: {told}"
    assert told[STRANGER.actor, "OUT_OF_SCOPE"] >= 1, f"I5: {told}"
    assert world.record("platforms/a").state == P.STATE_DRAFT


# Money.


def _approve(number: int, who: Any = APPROVER, *expected: str, tag: str = "approve") -> Call:
    said = {"document_number": f"{number}号", "approved_fen": AWARD}
    name = f"applications/a{number}"
    ends = expected or (OK, "CEILING_EXCEEDED")
    return call("ApproveApplication", who, f"{tag}-{number}", name=name, expected=ends, **said)


def _two_awards(world: World) -> None:
    made = Counter(getattr(world.outcomes[f"approve-{n}"], "code", OK) for n in (1, 2, 3))
    assert made == {OK: 2, "CEILING_EXCEEDED": 1}, f"I7: {made}"


def _review(world: World) -> Any:
    """Return the joint review of the application, or None."""
    return world.record(review_of(world.record("applications/a1")))


def _review_open(world: World) -> bool:
    return bool(world.record("applications/a1").joint_review.round) and _review(world) is not None


def _jointly_reviewed(world: World) -> None:
    application = world.record("applications/a1")
    assert application.state == A.STATE_JOINTLY_REVIEWED, A.Name(application.state)
    assert application.joint_review.conditions, "the departments' conditions are lost"
    assert _review(world).state == R.STATE_CONCLUDED


def _review_name() -> str:
    asked = funding.Application(name="applications/a1", joint_review=funding.JointReview(round=1))
    return review_of(asked)


def _opine(department: str, **more: Any) -> Call:
    verdict = "VERDICT_AGREE_WITH_CONDITIONS" if more else "VERDICT_AGREE"
    said = {"name": _review_name(), "verdict": coordination.Verdict.Value(verdict), **more}
    return call("OpineReview", ASKED[department], f"opine-{department}", **said)


def _escalated(world: World) -> bool:
    review = _review(world)
    return review is not None and any(opinion.deputy for opinion in review.opinions)


def _back(world: World) -> bool:
    return bool(world.record("applications/a1").state == A.STATE_EXPERT_REVIEWED)


def _each_deadline_once(world: World) -> None:
    """I9: of the silent department each deadline happened once, and on or after its day."""
    room = world.processes["coordination"].room
    lines = world.quietly(lambda: room.read_here(room.store.told, 0, 1000))
    events = [coordination.CoordinationEvent.FromString(line.event) for line in lines]
    acts = Counter(event.change.action for event in events)
    wanted = {"remind": 2, "escalate": 1, "fall_silent": 1}
    found = {action: acts[action] for action in wanted}
    assert found == wanted, f"I9: {found}"
    review = _review(world)
    assert review.outcome == coordination.OUTCOME_UNANSWERED
    silent = next(o for o in review.opinions if o.silent)
    assert iso(silent.due_date) < iso(silent.escalate_date) <= iso(silent.deputy_due_date)
    assert iso(silent.deputy_due_date) < iso(review.conclude_date), "I9: before its day"


# Reports.


def _late_editions(world: World) -> None:
    found = [(period, edition) for period, edition, *_ in world.quietly(editions)]
    assert found == [("2026-03", 1), ("2026-03", 2)], f"I9: {found}"


def _late(key: str, days: int) -> Call:
    rows = platform_rows(9, 9)
    rows[0].effective_date.CopyFrom(day(days))
    return call("ImportPlatforms", IMPORTER, f"late-{key}", source="old", rows=rows)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "create",
        ("platforms", "audit"),
        (
            (_create("a"), _create("b")),
            (call("CreatePlatform", APPLICANT, "again-a", platform=platform(), platform_id="a", expected=("ALREADY_EXISTS",)),),
        ),
    ),
    Scenario(
        "action",
        ("platforms", "reports"),
        (
            (_create("one"),),
            tuple(_retitle("one", t, expected=(OK, "STALE_ETAG")) for t in ("甲实验室", "乙实验室")),
            (_submit("one", etag="r2"),),
        ),
        demand=_one_edit,
    ),
    Scenario(
        "batch",
        ("platforms", "audit"),
        (
            (_create("a"),),
            (_batch("good", "b", "c"), _batch("bad", "d", "a", "e", expected=("ALREADY_EXISTS",))),
        ),
        demand=_none_of_batch,
    ),
    Scenario(
        "import",
        ("platforms", "technologies", "audit"),
        ((_import_platforms(1, 3, "m1"), _import_platforms(3, 5, "m2")), (_import_platforms(1, 5, "m3"),)),
        bus=True,
    ),
    Scenario(
        "merge",
        ("platforms", "reports"),
        (
            (_import_platforms(1, 2, "m1"),),
            (call("MergePlatform", APPROVER, "merge", name="platforms/lab-1", into="platforms/lab-2", document_number="1号"),),
        ),
        demand=_merged,
    ),
    Scenario(
        "denied",
        ("platforms", "audit"),
        (
            (_create("a"),),
            (_denied("d1", APPROVER, "ROLE_MISSING"), _denied("d2", STRANGER, "NOT_FOUND")),
            (_denied("d3", APPROVER, "ROLE_MISSING"), _denied("d4", APPROVER, "ROLE_MISSING")),
            Pass(1),
        ),
        bus=True,
        demand=_each_denial_told,
    ),
    Scenario(
        "ceiling",
        ("funding", "audit"),
        (
            (_approve(1, BOTH, "FOUR_EYES", "STATE_FORBIDS", tag="self"),),
            (_approve(1), _approve(2), _approve(3)),
        ),
        furnished=in_notice,
        demand=_two_awards,
    ),
    Scenario(
        "review",
        ("funding", "coordination"),
        (
            (call("OpenJointReviewApplication", DIIT, "open", name="applications/a1"),),
            Until(_review_open),
            (_opine("DRC"), _opine("DST"), _opine("FINANCE", conditions=["设备采购须集中招标"])),
        ),
        furnished=reviewed,
        bus=True,
        demand=_jointly_reviewed,
    ),
    Scenario(
        "silence",
        ("funding", "coordination"),
        (
            (call("OpenJointReviewApplication", DIIT, "open", name="applications/a1"),),
            Until(_review_open),
            (_opine("DRC"), _opine("DST")),
            Pass(20),
            Until(_escalated),
            Pass(10),
            Until(_back),
        ),
        furnished=reviewed,
        bus=True,
        demand=_each_deadline_once,
    ),
    CHANGE,
    CROSSING,
    Scenario(
        "days",
        ("platforms", "coordination", "reports"),
        ((_create("a"),), Pass(1), (_submit("a"),), Pass(1), Pass(1)),
    ),
    Scenario(
        "months",
        ("platforms", "reports"),
        ((_create("a"),), Pass(16), (_late("march", 10),), Pass(1)),
        demand=_late_editions,
    ),
    Scenario(
        "relay",
        ("platforms", "technologies"),
        tuple((_create(f"{k}1"), _create(f"{k}2")) for k in "abc"),
        bus=True,
        loses="platforms",
    ),
    Scenario(
        "audit",
        ("platforms", "technologies", "audit"),
        (
            (_create("a"), call("CreateBreakthrough", OFFICER, "t1", breakthrough=breakthrough(), breakthrough_id="t1")),
            (_create("b"), call("CreateBreakthrough", OFFICER, "t2", breakthrough=breakthrough(), breakthrough_id="t2")),
        ),
        bus=True,
    ),
    Scenario(
        "repeat",
        ("platforms", "audit"),
        (
            (_create("a", again=2), _create("b", again=1)),
            (_submit("a", again=1), _clash()),
        ),
    ),
    Scenario(
        "reference",
        ("platforms", "technologies"),
        (
            (_import_platforms(1, 1, "m1"), call("ImportBreakthroughs", IMPORTER, "t1", source="old", rows=[breakthrough_row()])),
            (call("LinkPlatformBreakthrough", OFFICER, "link", name="breakthroughs/t1", platform="platforms/lab-1"),),
        ),
        bus=True,
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
