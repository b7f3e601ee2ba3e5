"""What platforms are searched by, and what makes them a registry."""

from kernel.registry import Column, Resource, Service
from luoshu.platforms.v1 import platforms_pb2 as pb
from services.platforms.domain import LIFECYCLE

COLUMNS = (
    Column("title", sorted=True),
    Column("kind", sought=True),
    Column("level"),
    Column("supporting_unit_code"),
    Column("supporting_unit_name"),
    Column("division"),
    Column("direction"),
    Column("official_number"),
    Column("document_number"),
    Column("recognition_date", sorted=True),
    Column("origin.foreign_id"),
)

PLATFORMS = Service(
    name="platforms",
    contract=pb.DESCRIPTOR.services_by_name["PlatformService"],
    event=pb.PlatformsEvent,
    resources=(Resource(record=pb.Platform, lifecycle=LIFECYCLE, columns=COLUMNS),),
)
