"""The contract and its code, refusals and their statuses: what has to match, matches."""

from typing import Any

import pytest

from app.catalogue import REGISTRIES, own_behaviours
from kernel import errors, status
from kernel.registry import Service
from kernel.servicer import behaviours


class Empty:
    """A room with nothing in it: only what the contract and the lifecycles say is asked."""

    def __init__(self, service: Service) -> None:
        self.service, self.store = service, self
        self.tables, self.postgres = self, False
        self.journal = self.pack = None


@pytest.mark.parametrize("service", REGISTRIES, ids=lambda service: service.name)
def test_every_rpc_has_its_code(service: Service) -> None:
    room: Any = Empty(service)
    assert behaviours(room, own_behaviours(room)).keys() == {
        m.name for m in service.contract.methods
    }


@pytest.mark.parametrize("service", REGISTRIES, ids=lambda service: service.name)
def test_an_action_without_rpc_or_an_rpc_without_code_stops_the_start(service: Service) -> None:
    room: Any = Empty(service)
    with pytest.raises(TypeError, match="actions without RPC"):
        behaviours(room, {"TeleportPlatform": print})
    fewer = Service(service.name, service.contract, service.event, service.resources[1:])
    room.service = fewer
    with pytest.raises(TypeError, match="RPCs without code"):
        behaviours(room, {})


# Refusals.


def kinds(base: type[errors.DomainError]) -> list[type[errors.DomainError]]:
    return [k for direct in base.__subclasses__() for k in (direct, *kinds(direct))]


@pytest.mark.parametrize("kind", kinds(errors.DomainError), ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_status(kind: type[errors.DomainError]) -> None:
    base = next(k for k in kind.__mro__ if k in status.CODES)
    assert base is not errors.DomainError
    assert kind.code == kind.code.upper()
    arguments: dict[str, Any] = {"UnknownReference": ("platforms/x",), "Violated": ([],)}
    error = kind(*arguments.get(kind.__name__, ("en", "zh")))
    code, text, details = status.status_of(error)
    assert code is status.CODES[base]
    assert (text, bool(details)) == (error.en, True)
    assert type(error.within("requests[3]")) is kind


def test_a_hidden_record_is_told_as_one_that_is_not_there() -> None:
    assert errors.Hidden.code == errors.NotFound.code


def test_no_two_refusals_share_a_reason() -> None:
    told_apart = [kind for kind in kinds(errors.DomainError) if kind is not errors.Hidden]
    codes = [kind.code for kind in told_apart]
    assert len(codes) == len(set(codes))
