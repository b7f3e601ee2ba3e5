"""Kinds of which the province has one a sub-field: whether the sub-field is free. Pure."""

import unicodedata

from kernel.case import Case
from kernel.errors import Refused
from kernel.pack import Kind
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import ESTABLISHED, S

HOLDING = (S.STATE_NURTURED, *ESTABLISHED)


def demand_free(platform: pb.Platform, kind: Kind, case: Case) -> None:
    """Raises Refused where another platform of the kind holds the sub-field, however it is spelled."""
    if not kind.one_per_subfield:
        return
    own = _plain(platform.sub_field)
    for other in case.find("platforms", {"kind": kind.id}):
        if other.state in HOLDING and _plain(other.sub_field) == own:
            raise Refused(
                f"{kind.en}: the province has one a sub-field, and {other.name} ({other.title}) holds "
                f"{platform.sub_field}; apply in another one, or as co-building unit",
                f"{kind.zh}：同一细分领域全省只设一个，“{platform.sub_field}”已有 {other.title}（{other.name}）；"
                "请更换细分领域，或参与共建",
                field="sub_field",
                reason="SUB_FIELD_TAKEN",
            )


def _plain(text: str) -> str:
    """Return a text without what spelling may differ in: width, case, blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
