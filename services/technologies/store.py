"""What the service of key technologies declares: contract, records, columns to search by."""

from kernel.registry import Column, Resource, Service
from luoshu.technologies.v1 import technologies_pb2 as pb
from services.technologies.domain import LIFECYCLE

TECHNOLOGIES = Service(
    name="technologies",
    contract=pb.DESCRIPTOR.services_by_name["TechnologyService"],
    event=pb.TechnologiesEvent,
    resources=(
        Resource(
            record=pb.Breakthrough,
            lifecycle=LIFECYCLE,
            columns=(
                Column("title", sorted=True),
                Column("direction"),
                Column("track"),
                Column("sei_code"),
                Column("assignment"),
                Column("target_reached"),
                Column("completed"),
                Column("baseline_level"),
                Column("assessed_level"),
                Column("target_level"),
                Column("undertaking_unit.code"),
                Column("undertaking_unit.name"),
                Column("list_document_number"),
                Column("bids_close_date"),
                Column("planned_end_date", sorted=True),
                Column("completion_date", sorted=True),
                Column("target_reached_date"),
                Column("budget_fen"),
                Column("platforms"),
                Column("origin.foreign_id"),
            ),
        ),
    ),
)
