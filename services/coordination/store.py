"""What joint reviews and findings are searched by."""

from kernel.registry import Column, Resource, Service
from luoshu.coordination.v1 import coordination_pb2 as pb
from luoshu.coordination.v1 import findings_pb2
from services.coordination import findings
from services.coordination.agendas.domain import LIFECYCLE as AGENDA
from services.coordination.domain import LIFECYCLE

COORDINATION = Service(
    name="coordination",
    contract=pb.DESCRIPTOR.services_by_name["CoordinationService"],
    event=pb.CoordinationEvent,
    resources=(
        Resource(
            record=pb.Review,
            lifecycle=LIFECYCLE,
            columns=(
                Column("kind"),
                Column("subject"),
                Column("application"),
                Column("title"),
                Column("due_date", sorted=True),
                Column("outcome"),
                Column("concerned_departments"),
                Column("owing_departments"),
            ),
        ),
        Resource(
            record=findings_pb2.Finding,
            lifecycle=findings.LIFECYCLE,
            columns=(
                Column("application"),
                Column("other"),
                Column("title"),
                Column("disposition"),
                Column("review"),
                Column("concerned_departments"),
            ),
        ),
        Resource(
            record=pb.Agenda,
            lifecycle=AGENDA,
            columns=(Column("subject"), Column("title")),
        ),
    ),
)
