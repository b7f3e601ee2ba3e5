"""Help of the commands that write a record: its fields with their types and meaning, out of the contract."""

from collections.abc import Iterator
from typing import Any

import click
from google.api import field_behavior_pb2

from app.cli.actions import field_help, leaves, metavar
from app.cli.failures import Failure
from app.cli.kinds import kind_of, registries
from app.cli.session import Command
from app.importing.headers import templates
from luoshu.client.contract import Kind

SERVICE_OWN = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}
EVERY_RECORD = {"name", "etag", "revision", "origin"}
DEPTH = 1
"""Messages within the record become paths down to here, such as `contact.name`; deeper ones are JSON."""


class RecordCommand(Command):
    """A command whose help lists the fields of the kind of record that is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["luoshu.kind"] = next((k for arg in args if (k := _kind(arg))), None)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        kind = ctx.meta.get("luoshu.kind")
        if kind is None:
            formatter.write_paragraph()
            formatter.write_text(
                f"To see its fields, name a kind of record: {', '.join(_writable())}."
                f" 查看字段：luoshu {self.name} platforms --help"
            )
            return
        with formatter.section(f"Fields of {kind.collection} · 字段 (--field FIELD=VALUE, --json)"):
            formatter.write_dl(list(described(kind)))


def _kind(word: str) -> Kind | None:
    """Return the kind that a word means; None where it means none, such as an option's value."""
    try:
        return None if word.startswith("-") or "=" in word else kind_of(word)
    except Failure:
        return None


def _writable() -> list[str]:
    return [c for c, kind in registries().items() if f"Create{kind.noun}" in _methods(kind)]


def _methods(kind: Kind) -> Any:
    return kind.service.methods_by_name


def described(kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield every field that a caller may write, with its type, and what it means."""
    template = templates().get(kind.collection)
    chinese = {column.field: column.zh for column in template.columns} if template else {}
    for path, field in leaves(kind.record.DESCRIPTOR, depth=DEPTH):
        if not _is_services(kind, path):
            said = " ".join(filter(None, (chinese.get(path, ""), field_help(field, path))))
            yield f"{path} {metavar(field)}", said


def _is_services(kind: Kind, path: str) -> bool:
    """Tell whether the service fills a field, or what it lies in."""
    top: Any = kind.record.DESCRIPTOR.fields_by_name[path.partition(".")[0]]
    behaviour = top.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return top.name in EVERY_RECORD or bool(SERVICE_OWN & set(behaviour))
