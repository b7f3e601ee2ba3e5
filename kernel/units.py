"""Units as people write them: by credit code, or departments and reporting units by the pack's id or one of its names."""

import difflib
from functools import lru_cache
from typing import Any

from stdnum.cn import uscc

from kernel.case import Case
from kernel.errors import Denied, Invalid
from kernel.pack import Pack

UNASSIGNED = "UNASSIGNED"
"""The pack's stand-in for records that no department leads yet: it recommends and leads nothing."""
ALIKE = 0.5
"""From which likeness on a name is suggested; 0 to 1, `difflib`."""


_is_code = lru_cache(maxsize=4096)(uscc.is_valid)
"""The same units come again and again; a check takes 30 µs."""


def check_code(code: str, field: str) -> None:
    """Raises Invalid for what is no unified social credit code (GB 32100-2015)."""
    if not code:
        raise Invalid(
            f"{field} is empty; give the 18 characters of the unit's certificate",
            f"{field}为空；请按证照填写18位统一社会信用代码",
            field=field,
            reason="REQUIRED",
        )
    if not _is_code(code):
        raise Invalid(
            f"{field}: {code} is no unified social credit code; copy the certificate's 18 characters",
            f"{field}：{code}不是有效的统一社会信用代码；请按证照填写18位代码",
            field=field,
            reason="CREDIT_CODE_INVALID",
        )


def demand_own(code: str, owner: str, field: str) -> None:
    """Raises Invalid where an applicant names another unit than the one that its account acts for."""
    if code == owner:
        return
    raise Invalid(
        f"this account acts for {owner}; it applies for that unit only"
        if owner
        else "this account acts for no unit, and cannot apply",
        f"本账号代表 {owner}，只能为本单位申报" if owner else "本账号未注明所属单位，不能申报",
        field=field,
        reason="NOT_THE_UNIT",
    )


def demand_known(department: str, pack: Pack) -> None:
    """Raises Denied for who registers a record for a department that is none: it would be nobody's, or somebody else's later."""
    if _is_code(department) or department in pack.reporting_units:
        return
    if not department:
        raise Denied(
            "this call names no department, so that the record would be nobody's; say luoshu-department",
            "本次调用未注明部门，登记的记录将无人所有；请填写 luoshu-department",
            reason="DEPARTMENT_UNKNOWN",
        )
    if department == UNASSIGNED or department not in pack.departments:
        ids = ", ".join(unit.id for unit in pack.departments if unit.id != UNASSIGNED)
        raise Denied(
            f"no department {department}: call as one of {ids}, a reporting unit or a unit's credit code",
            f"部门 {department} 不存在；请以 {ids.replace(', ', '、')}、填报单位或统一社会信用代码的身份登记",
            reason="DEPARTMENT_UNKNOWN",
        )


def unit_of(said: str, field: str, case: Case) -> str:
    """Return the id of a department or reporting unit. Raises Invalid, naming the closest; an import keeps its text."""
    pack, said = case.pack, said.strip()
    if said in pack.reporting_units or (said in pack.departments and said != UNASSIGNED):
        return said
    known = _names(pack)
    found = known.get(said.casefold())
    if found is None and not case.importing:
        raise _unknown(said, field, pack, known)
    return found.id if found else said


def _names(pack: Pack) -> dict[str, Any]:
    """Return the units by everything that they are called."""
    units = [unit for unit in pack.departments if unit.id != UNASSIGNED]
    named: dict[str, Any] = {}
    for unit in (*units, *pack.reporting_units):
        for name in (unit.id, unit.zh, unit.en, getattr(unit, "short_zh", "")):
            named.setdefault(name.casefold(), unit)
    return named


def _unknown(said: str, field: str, pack: Pack, known: dict[str, Any]) -> Invalid:
    close = _closest(said, pack, known)
    listed = [close] if close else {unit.id: unit for unit in known.values()}.values()
    told = [f"{unit.id} {getattr(unit, 'short_zh', unit.zh)}" for unit in listed]
    en = f"did you mean {told[0]}?" if close else f"known: {', '.join(told) or 'none'}"
    zh = f"是否为 {told[0]}？" if close else f"可用：{'、'.join(told) or '无'}"
    return Invalid(
        f"{said} is no department or reporting unit; {en}",
        f"“{said}”不是部门或填报单位；{zh}",
        field=field,
        reason="UNIT_UNKNOWN",
    )


def _closest(said: str, pack: Pack, known: dict[str, Any]) -> Any:
    """Return the unit of a county's code, else the one with the most alike name, or None."""
    if said in pack.divisions:
        return known.get(pack.divisions[said].parent)
    alike = difflib.get_close_matches(said.casefold(), known, n=1, cutoff=ALIKE)
    return known[alike[0]] if alike else None
