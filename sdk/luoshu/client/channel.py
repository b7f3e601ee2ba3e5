"""A channel that knows who calls: adds the identity, a deadline and request ids, retries, and
raises typed errors.
"""

import uuid
from collections.abc import Iterable, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from luoshu.client.identity import Identity
from luoshu.client.interceptor import Interceptor
from luoshu.client.retry import Backoff
from luoshu.client.routes import Routes, routes_of

if TYPE_CHECKING:
    from luoshu.audit.v1.audit_pb2_grpc import AuditServiceStub
    from luoshu.coordination.v1.coordination_pb2_grpc import CoordinationServiceStub
    from luoshu.events.v1.events_pb2_grpc import EventServiceStub
    from luoshu.funding.v1.funding_pb2_grpc import FundingServiceStub
    from luoshu.journal.v1.journal_pb2_grpc import JournalServiceStub
    from luoshu.platforms.v1.platforms_pb2_grpc import PlatformServiceStub
    from luoshu.privacy.v1.privacy_pb2_grpc import PrivacyServiceStub
    from luoshu.reports.v1.reports_pb2_grpc import ReportServiceStub
    from luoshu.technologies.v1.technologies_pb2_grpc import TechnologyServiceStub

OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),  # the interceptor retries: it alone knows what is repeatable
)


class Client:
    """Stubs over one channel. Close it, or use it in a `with`.

    `services`: those that its address names, where they run apart.
    """

    def __init__(
        self, channel: grpc.Channel, raw: grpc.Channel, services: tuple[str, ...] = ()
    ) -> None:
        self.channel, self._raw, self.services = channel, raw, services

    @cached_property
    def platforms(self) -> "PlatformServiceStub":
        from luoshu.platforms.v1.platforms_pb2_grpc import PlatformServiceStub

        return PlatformServiceStub(self.channel)

    @cached_property
    def technologies(self) -> "TechnologyServiceStub":
        from luoshu.technologies.v1.technologies_pb2_grpc import TechnologyServiceStub

        return TechnologyServiceStub(self.channel)

    @cached_property
    def funding(self) -> "FundingServiceStub":
        from luoshu.funding.v1.funding_pb2_grpc import FundingServiceStub

        return FundingServiceStub(self.channel)

    @cached_property
    def coordination(self) -> "CoordinationServiceStub":
        from luoshu.coordination.v1.coordination_pb2_grpc import CoordinationServiceStub

        return CoordinationServiceStub(self.channel)

    @cached_property
    def audit(self) -> "AuditServiceStub":
        from luoshu.audit.v1.audit_pb2_grpc import AuditServiceStub

        return AuditServiceStub(self.channel)

    @cached_property
    def reports(self) -> "ReportServiceStub":
        from luoshu.reports.v1.reports_pb2_grpc import ReportServiceStub

        return ReportServiceStub(self.channel)

    @cached_property
    def journal(self) -> "JournalServiceStub":
        from luoshu.journal.v1.journal_pb2_grpc import JournalServiceStub

        return JournalServiceStub(self.channel)

    @cached_property
    def events(self) -> "EventServiceStub":
        from luoshu.events.v1.events_pb2_grpc import EventServiceStub

        return EventServiceStub(self.channel)

    @cached_property
    def privacy(self) -> "PrivacyServiceStub":
        from luoshu.privacy.v1.privacy_pb2_grpc import PrivacyServiceStub

        return PrivacyServiceStub(self.channel)

    def close(self) -> None:
        """End the connection; calls under way are cancelled."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def connect(
    address: str,
    *,
    department: str,
    actor: str,
    roles: Iterable[str] = (),
    deadline: float = 10.0,
    token: str = "",
    credentials: grpc.ChannelCredentials | None = None,
    backoff: Backoff | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Client:
    """Return a client of the server at `address`; nothing is sent before the first call.

    `address`: `host:port`, or of services that run apart `platforms=host:port,funding=host:port,…`.

    `deadline`: seconds that a call may take in all, retries included, where the call names no
    `timeout`. `credentials`: mutual TLS, from `grpc.ssl_channel_credentials`; without them the
    channel is in the clear.
    """
    every = (*OPTIONS, *options)

    def channel(to: str) -> grpc.Channel:
        if credentials is None:
            return grpc.insecure_channel(to, options=every)
        return grpc.secure_channel(to, credentials, options=every)

    routes = routes_of(address)
    raw = Routes({s: channel(to) for s, to in routes.items()}) if routes else channel(address)
    identity = Identity(department, actor, tuple(roles), token)
    interceptor = Interceptor(identity, deadline, backoff or Backoff(), lambda: str(uuid.uuid4()))
    return Client(grpc.intercept_channel(raw, interceptor), raw, tuple(routes))
