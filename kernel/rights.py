"""Who may see a record, and who may move it. Policy is in the lifecycle's table; this reads it."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from kernel.case import Caller, Role
from kernel.errors import Denied, Invalid
from kernel.lifecycle import Lifecycle, Move, Of, Offers

SEE_ALL = frozenset({Role.AUDITOR, Role.OPERATOR, Role.IMPORTER, Role.SYSTEM})
EXCLUSIVE = (Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)


class Standing(NamedTuple):
    """What rights depend on: of one record, at one moment."""

    state: int
    owner: str
    lead: str
    concerned: tuple[str, ...]
    author: str
    public: bool
    offered: Offers = ()

    @property
    def readers(self) -> str:
        """Departments and units that may see the record, between blanks."""
        return _readers(self.owner, self.lead, self.concerned)


@lru_cache(maxsize=4096)
def _readers(owner: str, lead: str, concerned: tuple[str, ...]) -> str:
    return f" {' '.join(sorted({owner, lead, *concerned} - {''}))} "


def standing_of(record: Any, lifecycle: Lifecycle) -> Standing:
    state, concerned = record.state, tuple(record.concerned_departments)
    public = state in lifecycle.public
    offered = lifecycle.offered(record) if lifecycle.offered is not None else ()
    return Standing(
        state, record.owner_unit, record.lead_department, concerned, record.author, public, offered
    )


def sees_all(caller: Caller) -> bool:
    return not SEE_ALL.isdisjoint(caller.roles)


def may_see(caller: Caller, readers: str, public: bool) -> bool:
    if public or sees_all(caller):
        return True
    return bool(caller.department) and f" {caller.department} " in readers


def may_see_past(caller: Caller, readers: str, then: str, public_then: bool) -> bool:
    """Of a record that the caller may see now, as one of its `readers` or as everybody: what was published later stays theirs.

    `then`, `public_then`: who could see it at that revision.
    """
    return may_see(caller, readers, public=False) or may_see(caller, then, public_then)


def may_see_persons(caller: Caller, standing: Standing) -> bool:
    """Its own unit, and those who work on it in the leading department; not whoever may merely see the record."""
    if stands(caller, Of.OWNER, standing):
        return True
    working = {Role.CASE_OFFICER, Role.APPROVER, Role.FINANCE_OFFICER}
    return stands(caller, Of.LEAD, standing) and not working.isdisjoint(caller.roles)


def stands(caller: Caller, of: Of, standing: Standing) -> bool:
    """Tell whether the caller's department stands so to the record; no department stands nowhere."""
    match of:
        case Of.OWNER:
            near = {standing.owner}
        case Of.LEAD:
            near = {standing.lead}
        case Of.CONCERNED:
            near = {standing.lead, *standing.concerned}
        case Of.ANY:
            return True
    return caller.department in near - {""}


def may(caller: Caller, move: Move, standing: Standing) -> bool:
    if move.four_eyes and caller.actor == standing.author:
        return False
    held = (role for role in move.by if role in caller.roles)
    return any(stands(caller, move.relation(role), standing) for role in held)


def allowed(caller: Caller, lifecycle: Lifecycle, standing: Standing) -> tuple[str, ...]:
    """Return the actions that the table allows this caller now, and that wait for it, in the table's order."""
    return _allowed(lifecycle, standing, caller.actor, caller.department, caller.roles)


@lru_cache(maxsize=4096)
def _allowed(
    lifecycle: Lifecycle, standing: Standing, actor: str, department: str, roles: frozenset[str]
) -> tuple[str, ...]:
    """The same callers ask for records that stand alike, over and over."""
    caller = Caller(actor, department, roles)
    moves, waiting = lifecycle.of_state(standing.state), dict(standing.offered)
    return tuple(
        move.name
        for move in moves
        if may(caller, move, standing) and department in waiting.get(move.name, (department,))
    )


def demand(caller: Caller, move: Move, standing: Standing) -> None:
    """Raise Denied unless the caller may, saying who may."""
    if may(caller, move, standing):
        return
    if move.four_eyes and caller.actor == standing.author:
        raise Denied(
            f"{move.name} needs a second pair of eyes: another account than the author's",
            f"{move.name} 须由登记人以外的账号办理（四眼原则）",
            reason="FOUR_EYES",
        )
    demand_role(caller, move.by, move.name)
    relations = ", ".join(sorted({move.relation(r) for r in move.by if r in caller.roles}))
    raise Denied(
        f"{move.name}: {caller.department or 'no department'} is not the record's {relations} department or unit",
        f"{move.name}：{caller.department or '未注明部门'} 不是该记录的相应部门或单位（{relations}）",
        reason="NOT_THE_DEPARTMENT",
    )


def demand_role(caller: Caller, roles: Iterable[Role], what: str) -> None:
    """Raise Denied unless the caller holds one of the roles."""
    wanted = tuple(roles)
    if caller.roles.isdisjoint(wanted):
        names = ", ".join(wanted)
        raise Denied(
            f"{what} takes one of the roles: {names}",
            f"{what} 需要以下角色之一：{names}",
            reason="ROLE_MISSING",
        )


def check_roles(roles: frozenset[str]) -> None:
    """Raise Invalid for a role that does not exist, Denied for administrators' roles that exclude one another."""
    unknown = sorted(roles - set(Role))
    if unknown:
        known = ", ".join(Role)
        raise Invalid(
            f"no role {unknown[0]}; there are: {known}",
            f"没有角色 {unknown[0]}；可用：{known}",
            field="luoshu-roles",
        )
    if len(roles.intersection(EXCLUSIVE)) > 1:
        raise Denied(
            "the system, security and audit administrators exclude one another",
            "系统管理员、安全管理员、审计管理员三员互斥",
            reason="ROLES_EXCLUDE",
        )
