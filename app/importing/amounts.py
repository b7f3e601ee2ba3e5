"""Amounts of money as whole hundredths (分, cents), exactly: never through a float."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from app.importing.problems import UnfitValue

HUNDREDTHS: Mapping[str, int] = {
    "fen": 1,
    "cents": 100,
    "yuan": 100,
    "wan_yuan": 100 * 10_000,
    "yi_yuan": 100 * 100_000_000,
}
"""Hundredths in one of each unit that a file may count in; `cents`: as `199999.52` dollars."""

SUFFIXES: Mapping[str, str] = {
    "亿元": "yi_yuan",
    "亿": "yi_yuan",
    "万元": "wan_yuan",
    "万": "wan_yuan",
    "元": "yuan",
    "分": "fen",
}
"""Units that may stand behind the number itself; they win over the column's unit."""

NOISE = re.compile(r"[\s,，￥¥$]|CNY|USD|RMB|人民币")
LARGEST = 2**63 - 1


def hundredths(text: str, unit: str) -> int:
    """Return an amount in `unit` as hundredths.

    Raises UnfitValue: no number, too fine, too large.
    """
    bare = NOISE.sub("", text.strip())
    for suffix, named in SUFFIXES.items():
        if bare.endswith(suffix):
            bare, unit = bare.removesuffix(suffix), named
            break
    try:
        exact = Decimal(bare) * HUNDREDTHS[unit]
        whole = int(exact)
    except (InvalidOperation, ValueError, OverflowError):
        raise UnfitValue("NOT_AN_AMOUNT", f"{text!r} is no amount", f"{text!r} 不是金额") from None
    if exact != whole:
        raise UnfitValue(
            "FRACTION_OF_A_FEN", f"{text!r} has a part of a hundredth", f"{text!r} 精确到了分以下"
        )
    if abs(whole) > LARGEST:
        raise UnfitValue("AMOUNT_TOO_LARGE", f"{text!r} is too large", f"{text!r} 金额过大")
    return whole
