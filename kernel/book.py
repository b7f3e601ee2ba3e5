"""What a double-entry ledger holds: accounts, entries, and how a service's records stand for them. No SQL.

A record stands for balances; what a change posts is the difference between those after it and those before. So the same
journal always gives the same ledger.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Account = tuple[Any, ...]
"""What money is booked to: its kind, then a value for each of the book's parts."""
Balances = Mapping[Account, int]


@dataclass(frozen=True, eq=False)
class Book:
    """How a service's records stand for money.

    `parts`: what an account says besides its kind, with its type, text or whole number. `sources`: kinds of account that
    may fall below zero, since money comes from them. `balances`: record → what it holds; its values sum to zero.
    """

    parts: Mapping[str, type]
    sources: frozenset[str]
    balances: Callable[[Any], Balances]

    def postings(self, before: Any, after: Any) -> dict[Account, int]:
        """Return what a change posts. Raises ValueError, which is a bug: it does not sum to zero."""
        posted = Counter(self.balances(after))
        if before is not None:
            posted.subtract(self.balances(before))
        moved = {account: fen for account, fen in sorted(posted.items()) if fen}
        if sum(moved.values()):
            raise ValueError(f"postings of {after.name} sum to {sum(moved.values())}, not to zero")
        return moved


class Entry(NamedTuple):
    """One line of the ledger: the journal's position and the line's number within it, day, account, amount."""

    position: int
    line: int
    day: str
    account: Account
    fen: int


def entries(position: int, day: str, postings: Mapping[Account, int]) -> list[Entry]:
    """Return the ledger's lines of one change."""
    return [Entry(position, n, day, *posted) for n, posted in enumerate(postings.items(), 1)]
