"""An agenda: what is owed of one record of another service. The system alone writes it."""

from kernel.case import Case, Role
from kernel.lifecycle import Lifecycle, Move
from luoshu.coordination.v1 import coordination_pb2 as pb

S = pb.Agenda.State
SYSTEM = (Role.SYSTEM,)


def check(agenda: pb.Agenda, case: Case) -> None:
    """Nothing is left to fill in: the record has said it all."""


def revise(agenda: pb.Agenda, command: pb.ReviseAgendaRequest, case: Case) -> int:
    """Take over what is owed now."""
    agenda.title, agenda.lead_department = command.title, command.lead_department
    agenda.compared_revision = command.compared_revision
    agenda.ClearField("entries")
    agenda.entries.extend(command.entries)
    return S.STATE_OPEN if command.entries else S.STATE_SETTLED


LIFECYCLE = Lifecycle(
    states=S,
    initial=S.STATE_OPEN,
    check=check,
    create_by=SYSTEM,
    public=frozenset(),
    moves=(
        Move((S.STATE_OPEN, S.STATE_SETTLED), revise, (S.STATE_OPEN, S.STATE_SETTLED), by=SYSTEM),
    ),
)
