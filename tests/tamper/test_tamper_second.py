"""The second log, with SM3 and SM2, is tampered with as the first is: the core of the same edits, of fewer entries."""

from collections.abc import Callable, Iterator

import pytest

from services.audit.keys import generate
from services.audit.report import Kind
from services.audit.suites import SM2
from tests.service.sm_keys import SIGNER
from tests.tamper import edits
from tests.tamper.campaign import campaign
from tests.tamper.edits import Edit, Stored
from tests.tamper.test_tamper import demand

ROWS = 20
LOG = edits.stored(ROWS, SIGNER)
FORGER = generate(SIGNER.name, SM2)
EVERY: dict[str, Callable[[Stored], Iterator[Edit]]] = {
    "bit of an event": lambda log: (
        edit for at in range(ROWS) for edit in edits.entry_flips(log, at)
    ),
    "bit of a hash": lambda log: (
        edit for place in log.nodes for edit in edits.node_flips(log, *place)
    ),
    "bit of a checkpoint": lambda log: (
        edit for at in range(len(log.notes)) for edit in edits.note_flips(log, at)
    ),
    "deletion": lambda log: (
        edits.deletion(log, at, moved_up=up) for at in range(ROWS) for up in (False, True)
    ),
    "swap": lambda log: (
        edits.swap(log, one, other, whole=whole)
        for one in range(ROWS)
        for other in range(one + 1, ROWS)
        for whole in (False, True)
    ),
    "truncation": lambda log: (edits.truncation(log, size) for size in range(ROWS)),
    "rollback": lambda log: (edits.rollback(log, at) for at in range(len(log.notes) - 1)),
    "rewriting": lambda log: (
        edits.rewritten(log, at, b"another", signer)
        for at in range(ROWS)
        for signer in (FORGER, SIGNER)
    ),
}


def test_the_log_itself_is_sound() -> None:
    assert LOG.check().findings == ()
    assert len(LOG.entries) == ROWS
    assert len(LOG.notes) == 2


@pytest.mark.parametrize("what", EVERY)
def test_every_edit_is_found(what: str) -> None:
    demand(EVERY[what](LOG))


def test_a_replaced_key_is_found() -> None:
    kinds = {f.kind for f in LOG.check(FORGER.verifier.encoded()).findings}
    assert kinds == {Kind.CHECKPOINT}


def test_the_first_logs_key_is_no_key_of_the_second() -> None:
    kinds = {f.kind for f in LOG.check(edits.SIGNER.verifier.encoded()).findings}
    assert kinds == {Kind.CHECKPOINT}


def test_a_random_campaign_finds_all_of_it() -> None:
    found = campaign(rows=40, edits_=150, seed=1, signer=SIGNER)
    assert found.missed == []
    assert found.false_alarms == 0
