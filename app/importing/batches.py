"""Rows of a file into messages of an Import call: at most 500 rows and less than 1 MB each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from app.importing.fields import converted, field_at
from app.importing.mapping import Mapping, Rule
from app.importing.problems import Refusal, UnfitFile, UnfitRow, UnfitValue
from app.importing.readers import Row
from app.importing.rules import fill, one
from luoshu.client.contract import Kind, request_of

if TYPE_CHECKING:
    from kernel.rules import Rules

MOST_ROWS = 500
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Compiler:
    """Makes rows of the contract out of rows of a file."""

    kind: Kind
    mapping: Mapping

    @cached_property
    def request(self) -> type[Message]:
        """`ImportPlatformsRequest`."""
        return request_of(self.kind.method(f"Import{self.kind.plural}"))

    @cached_property
    def _row(self) -> Callable[[], Any]:
        request: Any = self.request.DESCRIPTOR
        return GetMessageClass(request.nested_types_by_name["Row"])

    @cached_property
    def _heads(self) -> dict[str, Rule | None]:
        rules = self.mapping
        return {
            "key": rules.key,
            f"{self.kind.noun.lower()}_id": rules.record_id,
            "effective_date": rules.effective_date,
            "origin.foreign_id": rules.foreign_id,
        }

    def check(self) -> None:
        """Raises UnfitFile where the mapping names a field that the record lacks."""
        _check(self.mapping.fields, self.kind.record.DESCRIPTOR)

    def row(self, row: Row) -> Any:
        """Return a row of the contract. Raises UnfitRow with everything that is wrong with it."""
        if row.problem is not None:
            raise UnfitRow([row.problem])
        made, problems = self._row(), []
        made.line = row.line
        record = getattr(made, self.kind.noun.lower())
        record.origin.source = self.mapping.source
        for path, rule in self._heads.items():
            problem = self._put_head(made, record, path, rule, row.content)
            problems.extend([problem] if problem else [])
        record.origin.key = made.key
        try:
            fill(record, self.mapping.fields, row.content, self.mapping.lookups)
        except UnfitRow as several:
            problems.extend(several.problems)
        if problems:
            told = {word for problem in problems for word in (problem.field, problem.column)}
            raise UnfitRow([*problems, *self._broken(record, told)])
        return made

    def _broken(self, record: Any, told: set[str]) -> Iterator[UnfitValue]:
        """Yield what else is wrong with a row that cannot be sent, as the service would tell it."""
        for problem in _rules().broken(record):
            column = self.column(problem.field)
            if problem.field and not told & {problem.field.split("[", 1)[0], column}:
                yield UnfitValue(
                    problem.code, problem.en, problem.zh, column=column, field=problem.field
                )

    def _put_head(
        self, made: Any, record: Any, path: str, rule: Rule | None, content: Any
    ) -> UnfitValue | None:
        if rule is None:
            return None
        holder, name = (record.origin, "foreign_id") if "." in path else (made, path)
        try:
            value = one(rule, content, self.mapping.lookups)
            if value is None and name == "key":
                raise UnfitValue("REQUIRED", "it is missing", "必填")
            if value is not None:
                _set(holder, name, value)
        except UnfitValue as problem:
            return problem.within(rule.column, path)
        return None

    def rows(self, rows: Iterable[Row], refused: Callable[[Refusal], None]) -> Iterator[Any]:
        """Yield rows of the contract in the mapping's order; hand over why others are none."""
        made = self._made(rows, refused)
        if self.mapping.order != "effective_date":
            return made
        return iter(sorted(made, key=lambda r: _day(r.effective_date)))

    def _made(self, rows: Iterable[Row], refused: Callable[[Refusal], None]) -> Iterator[Any]:
        for row in rows:
            try:
                yield self.row(row)
            except UnfitRow as several:
                for problem in several.problems:
                    refused(problem.at(row.line))

    def batches(self, rows: Iterable[Any], *, validate_only: bool) -> Iterator[Any]:
        """Yield the call's messages."""
        batch, size = self._batch(validate_only), 0
        for row in rows:
            weight = row.ByteSize() + 8
            if batch.rows and (len(batch.rows) == MOST_ROWS or size + weight > MOST_BYTES):
                yield batch
                batch, size = self._batch(validate_only), 0
            batch.rows.append(row)
            size += weight
        if batch.rows:
            yield batch

    def _batch(self, validate_only: bool) -> Any:
        return self.request(source=self.mapping.source, validate_only=validate_only)

    def column(self, field: str) -> str:
        """Return the file's column behind a field that the server complains of; empty: not known."""
        path = field.split("[", 1)[0]
        while path:
            rule = self.mapping.fields.get(path) or self._heads.get(path)
            if rule is not None:
                return rule.column
            path = path.rpartition(".")[0]
        return ""


def _check(rules: Any, record: Any) -> None:
    for path, rule in rules.items():
        field = field_at(record, path)
        for inner in (rule, *rule.all, *rule.any):
            if inner.fields and field.message_type is None:
                raise UnfitFile(f"{path} has no fields of its own", f"{path} 没有下级字段")
            _check(inner.fields, field.message_type)


def _set(holder: Any, name: str, value: Any) -> None:
    field = field_at(holder.DESCRIPTOR, name)
    if field.message_type is None:
        setattr(holder, name, converted(field, value))
    else:
        getattr(holder, name).CopyFrom(converted(field, value))


def _day(date: Any) -> tuple[int, int, int]:
    """Return what dates sort by; a row without one comes last, as it is true from today."""
    return (date.year or 9999, date.month, date.day)


@lru_cache(maxsize=1)
def _rules() -> "Rules":
    from kernel.rules import Rules  # slow to load, and few rows need it

    return Rules()
