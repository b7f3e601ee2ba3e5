"""The audit's log is what was signed: recomputed from its tables."""

from pathlib import Path

from kernel import database
from services.audit.check import all_is_signed, verify_stored
from services.audit.keys import parse_signer
from tests.flow.separate import until


def demand_signed(url: str, key: Path) -> None:
    """I5; entries are signed a moment after they are stored. `key`: the file that the log is signed by."""
    verifier = parse_signer(key.read_text("utf-8").strip()).verifier
    engine = database.reading(url)
    try:
        until(lambda: all_is_signed(engine), "all to be signed")
        with engine.connect() as tx:
            assert not verify_stored(tx, verifier.encoded()).findings
    finally:
        engine.dispose()
