"""The beginning of a write transaction: at once, or not before something has to be read."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from kernel.database import arrive
from kernel.store import Head, Opened, Store


class Moved(Exception):
    """What was decided before the head was locked was decided upon too little: it is decided again."""


class Opening:
    """A transaction; call it for its connection, under the head's lock.

    `expected`: where this process left the head, if it may be taken to be there still and no record has to be read. Then a batch
    begins with that, and the lock comes with the first question or with all that is written: see `Store.save`.
    """

    def __init__(
        self,
        store: Store,
        tx: sa.Connection,
        names: Iterable[str],
        request_ids: Sequence[str],
        expected: Head | None,
    ) -> None:
        self._store, self._tx, self._asked = store, tx, (names, request_ids)
        self.expected = expected
        self.opened = _as_left(expected) if expected else store.opened(tx, *self._asked)

    def __call__(self) -> sa.Connection:
        """Raises Moved: another process has written, or a request is known already."""
        if self.expected is not None:
            expected, self.expected = self.expected, None
            if self._store.opened(self._tx, *self._asked) != _as_left(expected):
                raise Moved
        arrive(self._tx)
        return self._tx


def _as_left(head: Head) -> Opened:
    return Opened(*head, {}, {})
