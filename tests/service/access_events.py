"""A service's access journal, as a test looks at it."""

from luoshu.journal.v1.journal_pb2 import AccessEvent
from tests.running import Running


def events(running: Running, service: str, after: int = 0) -> list[AccessEvent]:
    rows = running.rows(
        service, "SELECT event FROM access_journal WHERE position > ? ORDER BY position", after
    )
    return [AccessEvent.FromString(event) for (event,) in rows]
