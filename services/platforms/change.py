"""What befalls a platform that is set up: another title, unit or kind, and its end."""

from kernel.case import Case
from kernel.errors import Denied, Invalid, Refused
from kernel.units import check_code
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.rules import UNCLASSIFIED, kind_of, link, set_end


def rename(platform: pb.Platform, command: pb.RenamePlatformRequest, case: Case) -> int:
    """Give it a new title and keep the former one. Raises Invalid where it is the same or blank."""
    title = command.title.strip()
    if title in ("", platform.title):
        raise Invalid(
            "the title is blank or the same as before; give the new title",
            "名称为空或与原名称相同；请填写新名称",
            field="title",
            reason="TITLE_UNCHANGED",
        )
    platform.former_titles.append(platform.title)
    platform.title, platform.english_title = title, command.english_title
    return platform.state


def change_supporting_unit(
    platform: pb.Platform, command: pb.ChangeSupportingUnitPlatformRequest, case: Case
) -> int:
    """Give it another supporting unit and keep the former one. Raises Invalid."""
    unit = command.supporting_unit
    check_code(unit.code, "supporting_unit.code")
    if unit.code == platform.supporting_unit_code:
        raise Invalid(
            f"{unit.code} is the supporting unit already; give another unit",
            f"{unit.code}已是依托单位；请填写另一单位",
            field="supporting_unit.code",
            reason="UNIT_UNCHANGED",
        )
    platform.former_supporting_units.add(
        name=platform.supporting_unit_name, code=platform.supporting_unit_code
    )
    platform.supporting_unit_name, platform.supporting_unit_code = unit.name, unit.code
    return platform.state


def classify(platform: pb.Platform, command: pb.ClassifyPlatformRequest, case: Case) -> int:
    """Say of which kind and level an imported platform is: a kind that the caller's department leads.

    Raises Denied, Invalid, Refused.
    """
    if platform.kind != UNCLASSIFIED:
        raise Refused(
            f"the platform is a {platform.kind} already; allowed: upgrade",
            f"该平台类型已是{platform.kind}；可执行：upgrade",
            reason="CLASSIFIED_ALREADY",
        )
    if command.kind == UNCLASSIFIED:
        raise Invalid(
            "unclassified says nothing; give a kind of the pack",
            "“未分类”不是具体类型；请填写平台类型",
            field="kind",
        )
    platform.kind, platform.level = command.kind, command.level
    lead = kind_of(platform, case).lead
    if case.caller.department != lead:
        raise Denied(
            f"{command.kind} is led by {lead}, which classifies its own; "
            f"{case.caller.department} cannot",
            f"{command.kind}由{lead}主管，须由其归类；{case.caller.department}无权归类",
            reason="NOT_THE_LEAD",
        )
    platform.lead_department = lead
    return platform.state


def upgrade(platform: pb.Platform, command: pb.UpgradePlatformRequest, case: Case) -> None:
    """End it because it became one of a higher level or of another kind.

    Raises Invalid, NotFound, Refused.
    """
    kind = command.kind or platform.kind
    if command.level < platform.level or (command.level, kind) == (platform.level, platform.kind):
        raise Refused(
            "an upgrade leads to a higher level, or to another kind of the same level; say which",
            "升级须提高级别，或在同级别转为其他类型；请填写升级后的级别或类型",
            field="level",
            reason="NOT_AN_UPGRADE",
        )
    case.pack.kind(kind, case.effective, field="kind")
    if command.successor:
        link(platform, command.successor, "successor", case)
    set_end(platform, case, document=command.document_number)
    platform.end.upgraded_level, platform.end.upgraded_kind = command.level, kind
    platform.end.upgraded_title = command.title or platform.title


def merge(platform: pb.Platform, command: pb.MergePlatformRequest, case: Case) -> None:
    """End it because another one took it in. Raises NotFound, Refused."""
    link(platform, command.into, "into", case)
    set_end(platform, case, document=command.document_number)


def split(platform: pb.Platform, command: pb.SplitPlatformRequest, case: Case) -> None:
    """End it because several others came out of it. Raises NotFound, Refused."""
    for index, successor in enumerate(command.successors):
        link(platform, successor, f"successors[{index}]", case)
    set_end(platform, case, document=command.document_number)


def close(platform: pb.Platform, command: pb.ClosePlatformRequest, case: Case) -> None:
    """End it at its own wish or because its time is over."""
    set_end(platform, case, command.reason, command.document_number)


def revoke(platform: pb.Platform, command: pb.RevokePlatformRequest, case: Case) -> None:
    """Take the recognition back."""
    set_end(platform, case, command.reason, command.document_number)
