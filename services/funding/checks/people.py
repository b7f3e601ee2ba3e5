"""What speaks for or against the people and units: awards of the year, overdue projects, sanctions."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kernel.dates import iso
from kernel.pack import EligibilityRule
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.checks.matter import INVESTIGATOR, Matter, Verdict, nobody
from services.funding.rules import AWARDED, UNFINISHED, S


def investigator_awards(rule: EligibilityRule, matter: Matter) -> Verdict:
    """Awards of the year count in the order of their approval, whatever became of them."""
    if not matter.investigator:
        return nobody()
    application = matter.application
    where: dict[str, str | int] = {
        "principal_investigator.subject": matter.investigator,
        "year": application.year,
    }
    awards = [o for o in matter.case.find("applications", where) if o.state in AWARDED]
    counted = [a for a in awards if not rule.levels or matter.level(a) in rule.levels]
    counted.sort(key=lambda a: (iso(a.approval.date), a.approval.award_number, a.name))
    facts = (("year", str(application.year)), *(("award", award.name) for award in counted))
    if len(counted) < rule.value:
        return Verdict(
            True,
            f"{len(counted)} award(s) of {application.year} so far; at most {rule.value}",
            f"{application.year}年度已获{len(counted)}项；最多{rule.value}项",
            facts,
        )
    names = ", ".join(award.name for award in counted)
    return Verdict(
        False,
        f"{INVESTIGATOR[0]} has {len(counted)} award(s) for {application.year}, the most: {names}",
        f"{INVESTIGATOR[1]}{application.year}年度已获{len(counted)}个省级项目，已达上限：{names}",
        facts,
        "INVESTIGATOR_LIMIT",
        "principal_investigator",
    )


def overdue(rule: EligibilityRule, matter: Matter) -> Verdict:
    """A project is overdue on the day after its last one, while its acceptance is not asked for."""
    if not matter.investigator:
        return nobody()
    late = sorted(
        (project.name, iso(project.end_date))
        for project in _projects(rule, matter)
        if project.state in UNFINISHED
        and project.end_date.year
        and iso(project.end_date) < matter.days[-1].isoformat()
    )
    facts = tuple(fact for name, end in late for fact in (("project", name), ("end_date", end)))
    if not late:
        return Verdict(True, "no project is overdue", "无逾期未结题项目")
    en = "; ".join(f"{name} was due on {end}" for name, end in late)
    zh = "；".join(f"{name} 应于{end}完成" for name, end in late)
    return Verdict(
        False,
        f"an overdue project blocks: {en}",
        f"有逾期未结题项目：{zh}",
        facts,
        "OVERDUE_PROJECT",
    )


def _projects(rule: EligibilityRule, matter: Matter) -> Iterable[pb.Application]:
    """Return the projects of the parties that count, each once."""
    sought = {
        "investigator": ("principal_investigator.subject", matter.investigator),
        "applicant": ("applicant_unit.code", matter.application.applicant_unit.code),
    }
    where = [{c: value} for party, (c, value) in sought.items() if party in rule.parties and value]
    found = (p for each in where for p in matter.case.find("applications", each))
    return {project.name: project for project in found}.values()


def sanctions(rule: EligibilityRule, matter: Matter) -> Verdict:
    """A sanction holds from its first to the end of its last day."""
    found = {s.name: (who, s) for who, s in _sanctions(rule, matter) if _holds(s, matter.days)}
    facts = tuple(
        fact
        for name, (_, sanction) in sorted(found.items())
        for fact in (
            ("sanction", name),
            ("document_number", sanction.document_number),
            ("from_date", iso(sanction.from_date)),
            ("to_date", iso(sanction.to_date)),
        )
    )
    if not found:
        days = ", ".join(day.isoformat() for day in matter.days)
        return Verdict(True, f"nobody is under a sanction on {days}", f"{days}无处罚在期")
    told = [
        (who, s.document_number, iso(s.from_date), iso(s.to_date) or "…")
        for who, s in found.values()
    ]
    en = "; ".join(
        f"{who[0]} is under a sanction from {a} to {b} ({number})" for who, number, a, b in told
    )
    zh = "；".join(f"{who[1]}自{a}至{b}在处罚期内（{number}）" for who, number, a, b in told)
    return Verdict(False, en, zh, facts, "SANCTIONED")


def _sanctions(rule: EligibilityRule, matter: Matter) -> Iterator[tuple[tuple[str, str], Any]]:
    application, find = matter.application, matter.case.find
    if "investigator" in rule.parties and matter.investigator:
        for sanction in find("sanctions", {"person.subject": matter.investigator}):
            yield INVESTIGATOR, sanction
    units = [application.applicant_unit] if "applicant" in rule.parties else []
    units += application.consortium if "members" in rule.parties else []
    for unit in units:
        for sanction in find("sanctions", {"unit.code": unit.code}) if unit.code else ():
            yield (unit.name, unit.name), sanction


def _holds(sanction: pb.Sanction, days: Sequence[datetime.date]) -> bool:
    first, last = iso(sanction.from_date), iso(sanction.to_date) or "9999"
    in_force = sanction.state in (S.STATE_IMPOSED, S.STATE_LIFTED)
    return in_force and any(first <= day.isoformat() <= last for day in days)
