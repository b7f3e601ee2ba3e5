"""What programmes, calls and applications are searched by, and what makes them a registry."""

from kernel.registry import Column, Resource, Service
from luoshu.funding.v1 import funding_pb2 as pb
from services.funding.book import BOOK
from services.funding.domain import APPLICATION, CALL, HOLD, PROGRAMME, SANCTION

PROGRAMME_COLUMNS = (
    Column("title", sorted=True),
    Column("policy"),
    Column("funding_source"),
    Column("kinds"),
    Column("topics"),
    Column("document_number"),
    Column("origin.foreign_id"),
)

CALL_COLUMNS = (
    Column("title", sorted=True),
    Column("programme"),
    Column("year", sorted=True),
    Column("open_date"),
    Column("close_date", sorted=True),
    Column("topics"),
    Column("document_number"),
    Column("max_award_fen"),
    Column("origin.foreign_id"),
)

APPLICATION_COLUMNS = (
    Column("title", sorted=True),
    Column("applicant_unit.code", sought=True),
    Column("applicant_unit.name"),
    Column("applicant_unit.foreign_id"),
    Column("programme"),
    Column("call"),
    Column("year", sorted=True),
    Column("topic"),
    Column("requested_fen", sorted=True),
    Column("approved_fen", sorted=True),
    Column("paid_fen"),
    Column("recovered_fen"),
    Column("principal_investigator.subject", sought=True),
    Column("recommending_unit"),
    Column("predecessor"),
    Column("phase"),
    Column("currency"),
    Column("start_date"),
    Column("end_date"),
    Column("approval.award_number"),
    Column("contract.number"),
    Column("origin.foreign_id"),
)

SANCTION_COLUMNS = (
    Column("title", sorted=True),
    Column("unit.code", sought=True),
    Column("unit.name"),
    Column("person.subject", sought=True),
    Column("from_date", sorted=True),
    Column("to_date"),
    Column("document_number"),
)

HOLD_COLUMNS = (
    Column("title", sorted=True),
    Column("application", sought=True),
    Column("other"),
    Column("finding"),
    Column("disposition"),
)

FUNDING = Service(
    name="funding",
    contract=pb.DESCRIPTOR.services_by_name["FundingService"],
    event=pb.FundingEvent,
    resources=(
        Resource(record=pb.Programme, lifecycle=PROGRAMME, columns=PROGRAMME_COLUMNS),
        Resource(record=pb.Call, lifecycle=CALL, columns=CALL_COLUMNS),
        Resource(record=pb.Application, lifecycle=APPLICATION, columns=APPLICATION_COLUMNS),
        Resource(record=pb.Sanction, lifecycle=SANCTION, columns=SANCTION_COLUMNS),
        Resource(record=pb.Hold, lifecycle=HOLD, columns=HOLD_COLUMNS),
    ),
    book=BOOK,
)
