"""What a call asks: its window, the size of a consortium, one recommending unit."""

from kernel.dates import iso
from kernel.pack import EligibilityRule
from services.funding.checks.matter import (
    INVESTIGATOR,
    Matter,
    Verdict,
    completes,
    no_call,
)
from services.funding.rules import GONE, C


def window(rule: EligibilityRule, matter: Matter) -> Verdict:
    """From the first to the end of the last local day, while the call is published."""
    call, application = matter.call, matter.application
    if call is None:
        return no_call()
    facts = (
        ("call", call.name),
        ("state", C.Name(call.state)),
        ("open_date", iso(call.open_date)),
        ("close_date", iso(call.close_date)),
    )
    first, last = iso(call.open_date), iso(call.close_date)
    if completes(application, matter.days[-1]):
        until = iso(application.completion.complete_by)
        en = f"it may be completed until {until}, whatever the window"
        return Verdict(None, en, f"补正期限至{until}，不受申报期限制", facts)
    open_ = call.state == C.STATE_PUBLISHED
    if open_ and all(first <= day.isoformat() <= last for day in matter.days):
        return Verdict(True, f"the window is {first} to {last}", f"申报期为{first}至{last}", facts)
    return Verdict(
        False,
        f"{call.name} is {C.Name(call.state)} on {matter.days[-1]}; it takes applications {first} to {last}",
        f"{call.name} 在{matter.days[-1]}不接受申报：状态 {C.Name(call.state)}，申报期为{first}至{last}",
        facts,
        "CALL_NOT_OPEN",
    )


def consortium(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The applicant counts."""
    call, size = matter.call, 1 + len(matter.application.consortium)
    if call is None:
        return no_call()
    least, most = max(call.consortium_min, 1), call.consortium_max
    bounds = f"{least}–{most or '…'}"
    facts = (("units", str(size)), ("least", str(least)), ("most", str(most or "")))
    en, zh = (
        f"{size} units apply together; the call wants {bounds}",
        f"联合体共{size}家单位；指南要求{bounds}家",
    )
    passed = least <= size <= (most or size)
    return Verdict(passed, en, zh, facts, "CONSORTIUM_SIZE", "consortium")


def recommending_units(rule: EligibilityRule, matter: Matter) -> Verdict:
    """The same investigator does not come to the same call by several recommending units."""
    application, own = matter.application, matter.application.recommending_unit
    if not (own and application.call and matter.investigator):
        return Verdict(
            None,
            "no recommending unit or investigator is named yet",
            "尚未填写推荐单位或项目负责人",
        )
    where = {"principal_investigator.subject": matter.investigator, "call": application.call}
    others = [o for o in matter.case.find("applications", where) if o.state not in GONE]
    units = sorted({own, *(o.recommending_unit for o in others)} - {""})
    facts = tuple(("recommending_unit", unit) for unit in units)
    if len(units) <= rule.value:
        return Verdict(True, f"recommended by {own} alone", f"仅由{own}推荐", facts)
    listed = ", ".join(units)
    return Verdict(
        False,
        f"{INVESTIGATOR[0]} comes to this call by {len(units)} recommending units: {listed}; at most {rule.value}",
        f"{INVESTIGATOR[1]}经{len(units)}个推荐单位（{listed}）申报同一指南；最多{rule.value}个",
        facts,
        "RECOMMENDING_UNITS",
        "recommending_unit",
    )
