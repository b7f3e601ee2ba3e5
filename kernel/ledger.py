"""A double-entry ledger beside a journal: entries are only added, and an account's balance is their sum."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from kernel.book import Account, Book, Entry, entries
from kernel.columns import iso
from kernel.database import TEXT, WHOLE, Put
from kernel.registry import Service

CHUNK = 1000  # entries that are written together when a ledger is made from its journal


@dataclass(frozen=True)
class LedgerTables:
    """The lines, never changed, and the balance of each account, which is their sum and never below zero."""

    entry: sa.Table
    balance: sa.Table


def tables_of(book: Book, metadata: sa.MetaData) -> LedgerTables:
    """Return the tables of a book; nothing is created."""

    def account(*, key: bool = False) -> list[sa.Column[Any]]:
        parts = {"kind": str, **book.parts}
        return [
            sa.Column(
                name,
                WHOLE if type_ is int else TEXT,
                nullable=False,
                primary_key=key,
                autoincrement=False,
            )
            for name, type_ in parts.items()
        ]

    entry = sa.Table(
        "ledger_entry",
        metadata,
        sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("line", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("day", TEXT, nullable=False),
        *account(),
        sa.Column("fen", WHOLE, nullable=False),
        *(sa.Index(f"ledger_entry_{part}", part, "position") for part in list(book.parts)[:1]),
    )
    balance = sa.Table(
        "ledger_balance",
        metadata,
        *account(key=True),
        sa.Column("fen", WHOLE, nullable=False),
        sa.CheckConstraint(_never_below_zero(book), name="ledger_balance_not_below_zero"),
    )
    return LedgerTables(entry, balance)


def _never_below_zero(book: Book) -> str:
    kinds = ", ".join(f"'{kind}'" for kind in sorted(book.sources))
    return f"fen >= 0 OR kind IN ({kinds})"


class Overdrawn(RuntimeError):
    """An account would fall below zero: the rule that decided did not see it, and nothing of it is written."""


class Ledger:
    """The statements of one service's book."""

    def __init__(self, book: Book, tables: LedgerTables, *, postgres: bool) -> None:
        self._tables, self._put = tables, Put(tables.entry, postgres=postgres)
        balance = tables.balance
        self._keys = ["kind", *book.parts]
        insert = pg_insert if postgres else sqlite_insert
        self._open = insert(balance).on_conflict_do_nothing()
        guard = sa.or_(
            balance.c.fen + sa.bindparam("moved") >= 0, balance.c.kind.in_(sorted(book.sources))
        )
        self._move = (
            sa.update(balance)
            .where(*(balance.c[key] == sa.bindparam(f"of_{key}") for key in self._keys), guard)
            .values(fen=balance.c.fen + sa.bindparam("moved"))
        )

    def write(self, tx: sa.Connection, lines: Sequence[Entry]) -> None:
        """Add lines and move the balances. Raises Overdrawn: an account would fall below zero."""
        if not lines:
            return
        self._put(tx, [(e.position, e.line, e.day, *e.account, e.fen) for e in lines])
        moved = _sums(lines)
        tx.execute(self._open, [{**self._named("", a), "fen": 0} for a in moved])
        for account, fen in moved.items():
            found = tx.execute(self._move, {**self._named("of_", account), "moved": fen})
            if found.rowcount != 1:
                raise Overdrawn(f"{account[0]} would fall below zero by {fen} fen")

    def _named(self, prefix: str, account: Account) -> dict[str, Any]:
        return {f"{prefix}{key}": value for key, value in zip(self._keys, account, strict=True)}


def _sums(lines: Iterable[Entry]) -> dict[Account, int]:
    """Return each account's movement, in one order, so that no two writers wait for each other."""
    moved: Counter[Account] = Counter()
    for line in lines:
        moved[line.account] += line.fen
    return {account: moved[account] for account in sorted(moved)}


def replayed(service: Service, rows: Iterable[tuple[int, str, str, bytes]]) -> Iterator[Entry]:
    """Yield the entries that follow from a journal's (position, collection, effective date, event), in its order."""
    standing = dict[str, Any]()
    for position, collection, day, event in rows:
        resource = service.by_collection.get(collection)
        if resource is None or service.book is None:
            continue
        record = getattr(service.event.FromString(event), resource.singular)
        before = standing.get(record.name)
        if before is None or iso(record.effective_date) >= iso(before.effective_date):
            standing[record.name] = record
            yield from entries(position, day, service.book.postings(before, record))


def fill(tx: sa.Connection, service: Service) -> None:
    """Write the ledger that a database's journal gives; the tables are there and empty."""
    tables = sa.MetaData()
    journal = sa.Table("journal", tables, autoload_with=tx)
    if service.book is None:
        return
    columns = (journal.c[name] for name in ("position", "collection", "effective_date", "event"))
    rows = tx.execute(sa.select(*columns).order_by(journal.c.position))
    postgres = tx.dialect.name == "postgresql"
    ledger = Ledger(service.book, tables_of(service.book, sa.MetaData()), postgres=postgres)
    found = replayed(service, (tuple(row) for row in rows))
    while chunk := list(islice(found, CHUNK)):
        ledger.write(tx, chunk)
