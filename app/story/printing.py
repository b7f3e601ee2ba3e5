"""docs/story.md: a story's events as a sequence diagram, from nothing but the journals."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.cli.output import choice
from app.story.playing import Refusal, Told
from app.story.script import Script
from kernel.dates import iso, to_date
from luoshu.coordination.v1 import coordination_pb2 as coordination
from services.reports.labels import action as words_of
from services.reports.labels import state as state_words

SYSTEM = "SYSTEM"
SHOWN = {
    "programmes": "专项",
    "calls": "指南",
    "applications": "申报",
    "reviews": "会签",
    "sanctions": "处罚",
    "findings": "查重",
    "holds": "查重挂起",
}


def page(script: Script, told: Sequence[Told]) -> str:
    """Return the page: a diagram a chapter, a note each."""
    head = (
        f"# {script.title['zh']} · {script.title['en']}\n\n"
        "Played by the real services from `examples/stories/three_departments.yaml`, and printed from the events that they\n"
        "journalled: an arrow is an event, from the department or unit that acted to the record that it changed. What *Luoshu*\n"
        "does happens by itself, on its day. A broken arrow is a call that was refused, with the reason; it leaves no event.\n"
    )
    # What is owed follows from the records: the inbox tells it, the story tells what was done.
    told = [line for line in told if _kind(line) != "agenda"]
    titles = _titles(told)
    return head + "".join(_chapter(script, chapter, titles) for chapter in _chapters(told))


def _chapters(told: Sequence[Told]) -> Iterator[list[Told]]:
    chapter: list[Told] = []
    for line in told:
        if line.note and chapter:
            yield chapter
            chapter = []
        chapter.append(line)
    yield chapter


def _chapter(script: Script, lines: list[Told], titles: Mapping[str, str]) -> str:
    note = lines[0].note
    events = [line for line in lines if line.event is not None or line.refusal is not None]
    title = f"\n## {note['zh']}\n\n{note['en']}.\n" if note else ""
    return title + (_diagram(script, events, titles) if events else "")


def _diagram(script: Script, events: Sequence[Told], titles: Mapping[str, str]) -> str:
    shown = {p.department: p.shown for p in script.people.values() if p.shown}
    who = dict.fromkeys(_actor(line) for line in events)
    what = dict.fromkeys(_object(line) for line in events)
    rows = [
        f"    actor {_id(d)} as {shown.get(d) or ('洛书 Luoshu' if d == SYSTEM else d)}"
        for d in who
    ]
    rows += [f"    participant {_id(r)} as {_record(r, titles)}" for r in what]
    return (
        "\n```mermaid\nsequenceDiagram\n"
        + "\n".join([*rows, *_arrows(events, list(what))])
        + "\n```\n"
    )


def _titles(events: Iterable[Told]) -> Mapping[str, str]:
    """Return review, finding or hold → the application that it is about: two are told apart by it."""
    records = (
        getattr(line.event, line.event.WhichOneof("record"))
        for line in events
        if line.service == "coordination" or _kind(line) == "hold"
    )
    return {record.name: record.application for record in records}


def _kind(line: Told) -> str:
    """Return what kind of record an event is about; nothing where the line is none."""
    return "" if line.event is None else line.event.WhichOneof("record") or ""


def _record(name: str, titles: Mapping[str, str]) -> str:
    collection, _, key = name.partition("/")
    of = titles.get(name, "").partition("/")[2]
    return f"{SHOWN.get(collection, collection)} {of or key}"


def _arrows(events: Sequence[Told], records: Sequence[str]) -> Iterator[str]:
    day: datetime.date | None = None
    for line in events:
        if _day(line) != day:
            day, first, last = _day(line), _id(records[0]), _id(records[-1])
            over = first if first == last else f"{first},{last}"
            yield f"    Note over {over}: {day}"
        arrow, said = (
            ("--x", _refused(line.refusal)) if line.refusal else ("->>", _said(line.event))
        )
        yield f"    {_id(_actor(line))}{arrow}{_id(_object(line))}: {said}"


def _day(line: Told) -> datetime.date | None:
    return line.refusal.day if line.refusal else to_date(line.event.change.business_date)


def _actor(line: Told) -> str:
    said: str = line.refusal.department if line.refusal else line.event.change.department
    return said


def _object(line: Told) -> str:
    said: str = line.refusal.record if line.refusal else line.event.change.record
    return said


def _refused(refusal: Refusal) -> str:
    collection = refusal.record.partition("/")[0]
    word = words_of(collection, refusal.action).zh
    return _plain(f"{word} {refusal.action} ✗ {refusal.code}")


def _said(event: Any) -> str:
    change = event.change
    record = getattr(event, event.WhichOneof("record"))
    collection = change.record.partition("/")[0]
    said = [words_of(collection, change.action).zh, change.action]
    if change.to_state != change.from_state:
        said.append(f"→ {state_words(collection, change.to_state).zh}")
    detail = _detail(change, record) if collection == "reviews" else ""
    return _plain(" ".join([*said, f"（{detail}）" if detail else ""]).strip())


def _detail(change: Any, review: Any) -> str:
    """Return whom or what an event of a review is about."""
    day = iso(change.business_date)
    match change.action:
        case "create":
            return "、".join(f"{o.department} 至 {iso(o.due_date)}" for o in review.opinions)
        case "opine":
            own = next(o for o in review.opinions if o.department == change.department)
            return choice(own.DESCRIPTOR.fields_by_name["verdict"], own.verdict).rpartition(" ")[2]
        case "remind":
            return "、".join(
                o.department
                for o in review.opinions
                if any(iso(r.sent_date) == day for r in o.reminders)
            )
        case "escalate":
            return "、".join(o.deputy for o in review.opinions if iso(o.escalate_date) == day)
        case "confirm_condition":
            return "、".join(c.text for c in review.conditions if iso(c.confirm_date) == day)
        case "resume" | "revise":
            return _lapsed(review, day)
    return _ended(review) if review.outcome else ""


def _lapsed(review: Any, day: str) -> str:
    lapses = [
        f"{one.opinion.department} 意见失效：{'、'.join(one.fields)}"
        for one in review.lapses
        if iso(one.date) == day
    ]
    due = [
        f"{o.department} 至 {iso(o.due_date)}"
        for o in review.opinions
        if not (o.verdict or o.silent)
    ]
    return "；".join([*lapses, *due])


def _ended(review: Any) -> str:
    return choice(
        coordination.Review.DESCRIPTOR.fields_by_name["outcome"], review.outcome
    ).rpartition(" ")[2]


def _id(name: str) -> str:
    """Return a name as Mermaid takes it."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)


def _plain(text: str) -> str:
    """Return a text without what Mermaid reads as syntax."""
    return text.replace(";", "；").replace("#", "＃").replace(":", "：")
