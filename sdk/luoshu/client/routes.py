"""Services that run apart, as one channel: `platforms=host:port,funding=host:port,…` where an address stands."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from luoshu.client.errors import Invalid

BY_FIELD = {"journal": "source", "events": "consumer"}
"""Packages that every service serves for itself, and the request's field that names the service."""


def routes_of(address: str) -> dict[str, str]:
    """Return service → `host:port`; nothing where the address is that of one process. Raises Invalid."""
    if "=" not in address:
        return {}
    pairs = [part.partition("=") for part in address.split(",")]
    for service, sign, where in pairs:
        if not (service and sign and where):
            raise Invalid(
                f"{address}: neither host:port nor service=host:port,…",
                f"{address}：既不是 主机:端口，也不是 服务=主机:端口,…",
            )
    return {service.strip(): where.strip() for service, _, where in pairs}


class Routes(grpc.Channel):  # type: ignore[misc, unused-ignore]
    """Sends every call to the service whose it is: to the method's package, or where the request says."""

    def __init__(self, channels: Mapping[str, grpc.Channel]) -> None:
        self._channels = channels

    def _kind(self, kind: str, method: str, *args: Any, **more: Any) -> Any:
        package = method.split(".")[1]

        def call(service: str) -> Any:
            return getattr(self._channel(service), kind)(method, *args, **more)

        return _Said(BY_FIELD[package], call) if package in BY_FIELD else call(package)

    def _channel(self, service: str) -> grpc.Channel:
        if service not in self._channels:
            known = ", ".join(self._channels)
            raise Invalid(
                f"no address for {service or 'a service'}: the address names {known} only; add {service}=host:port",
                f"没有 {service} 的地址：地址中只有 {known}；请加上 {service}=主机:端口",
            )
        return self._channels[service]

    def unary_unary(self, method: str, *args: Any, **more: Any) -> Any:
        return self._kind("unary_unary", method, *args, **more)

    def unary_stream(self, method: str, *args: Any, **more: Any) -> Any:
        return self._kind("unary_stream", method, *args, **more)

    def stream_unary(self, method: str, *args: Any, **more: Any) -> Any:
        return self._kind("stream_unary", method, *args, **more)

    def stream_stream(self, method: str, *args: Any, **more: Any) -> Any:
        return self._kind("stream_stream", method, *args, **more)

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        for channel in self._channels.values():
            channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        for channel in self._channels.values():
            channel.unsubscribe(callback)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def __enter__(self) -> "Routes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Said:
    """A call whose request names the service."""

    def __init__(self, field: str, call: Callable[[str], Any]) -> None:
        self._field, self._call = field, call

    def __call__(self, request: Any, *args: Any, **more: Any) -> Any:
        return self._call(getattr(request, self._field))(request, *args, **more)

    def with_call(self, request: Any, *args: Any, **more: Any) -> Any:
        return self._call(getattr(request, self._field)).with_call(request, *args, **more)

    def future(self, request: Any, *args: Any, **more: Any) -> Any:
        return self._call(getattr(request, self._field)).future(request, *args, **more)
