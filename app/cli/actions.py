"""Every action of a lifecycle as a command: `luoshu recognize platforms/x --document-number …`.

Nothing here knows an action: the contract's descriptors say which there are and what they ask for.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from app.cli.demands import demand_required, flag_of, is_required, options_named, states_named
from app.cli.failures import Failure
from app.cli.kinds import instead, kind_of_name, registries
from app.cli.output import DATE, INSTANT, choice
from app.cli.records import print_record
from app.cli.session import Command, session
from app.cli.values import assign
from app.importing.fields import choice_words
from luoshu.client.contract import Kind, caller, comments, request_of

HELP = {
    "etag": "The etag that was read; a stale one is refused.",
    "request_id": "Makes the call repeatable; given where you give none.",
    "validate_only": "Decide and answer; change nothing.",
    "effective_date": "True from this business date on.",
}
DEPTH = 2
"""Messages within messages become options down to here; deeper ones are given as JSON."""


def normal(word: str) -> str:
    """Return `start-construction` for `start_construction` and `StartConstruction` too."""
    from luoshu.client.contract import kebab

    return kebab(word) if not word.islower() and "-" not in word else word.replace("_", "-")


def action_command(word: str) -> "ActionCommand | None":
    """Return the command of an action, or None where no kind of record has such a one."""
    action = normal(word)
    having = [kind for kind in registries().values() if action in kind.actions]
    return ActionCommand(action, having) if having else None


def unknown(ctx: click.Context, args: list[str]) -> Failure:
    """Return the complaint about a word that is no command: told by the record, if one is named."""
    from app.cli import COMMANDS

    named = next((arg for arg in args[1:] if "/" in arg and not arg.startswith("-")), "")
    if named:
        return _not_an_action(args[0], kind_of_name(named))
    actions = {action for kind in registries().values() for action in kind.actions}
    known = instead(normal(args[0]), [*COMMANDS, *sorted(actions)])
    return Failure(f"no command {args[0]!r}; {known}", f"没有命令 {args[0]!r}；请看 luoshu --help")


def _not_an_action(word: str, kind: Kind) -> Failure:
    known = ", ".join(kind.actions) or "none"
    return Failure(
        f"{kind.collection} have no action {word!r}; {instead(normal(word), kind.actions)}",
        f"{kind.collection} 没有动作 {word!r}；可用：{known}",
    )


class ActionCommand(Command):
    """One action. Its options follow from the record that is named: each kind asks for its own.

    `shown`: prints what came of it.
    """

    shown: Callable[[click.Context, Any], None]

    def __init__(self, action: str, having: list[Kind]) -> None:
        names = ", ".join(kind.collection for kind in having)
        super().__init__(
            action,
            params=[click.Argument(["record"], metavar="NAME")],
            help=f"{action}: an action of {names}. Name a record to see its options.",
            callback=self._act,
        )
        self.having = having
        self.shown = print_record

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the record first: what else may be said depends on it."""
        named = next((arg for arg in args if _is_name(arg)), "")
        kind = kind_of_name(named) if named else self._only()
        if kind is not None:
            ctx.meta["luoshu.kind"] = kind
            self.params = [self.params[0], *options(request_of(self._method(kind)))]
            self.help = self._about(kind)
        return super().parse_args(ctx, args)

    def _about(self, kind: Kind) -> str:
        said = comments().get(self._method(kind).full_name, "")
        return f"{said or self.name}.\n\nAn action of {kind.collection}."

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; of every kind that has the action, where no record is named."""
        if "luoshu.kind" in ctx.meta:
            super().format_options(ctx, formatter)
            return
        for kind in self.having:
            found = options(request_of(self._method(kind)))
            written = [r for option in found if (r := option.get_help_record(ctx)) is not None]
            with formatter.section(f"Options for {kind.collection}"):
                formatter.write_dl(written)
        formatter.write_paragraph()
        formatter.write_text("Global options: see `luoshu --help`.")

    def _only(self) -> Kind | None:
        return self.having[0] if len(self.having) == 1 else None

    def _method(self, kind: Kind) -> MethodDescriptor:
        assert self.name is not None  # noqa: S101 - given by __init__
        if self.name not in kind.actions:
            raise _not_an_action(self.name, kind)
        return kind.actions[self.name]

    def _act(self, record: str, **given: Any) -> None:
        ctx = click.get_current_context()
        method = self._method(kind_of_name(record))
        request: Any = request_of(method)()
        request.name = record
        demand_required(request, given)
        fill(request, given)
        record_of = kind_of_name(record).record.DESCRIPTOR
        with options_named(request), states_named(record_of):
            answer = caller(session(ctx).client.channel, method)(request)
        self.shown(ctx, answer)


def _is_name(arg: str) -> bool:
    return not arg.startswith("-") and arg.split("/", 1)[0] in registries() and "/" in arg


def options(request: type[Message]) -> list[click.Parameter]:
    """Return an option for every field of an action's request but the record's name; last those that every action has."""
    found: list[click.Parameter] = []
    for path, field in sorted(leaves(request.DESCRIPTOR), key=lambda leaf: leaf[0] in HELP):
        if path != "name":
            flag = flag_of(path)
            if field.type == FieldDescriptor.TYPE_BOOL and field.has_presence:
                flag += f"/--no-{flag[2:]}"  # what has to be said, has to be deniable too
            found.append(click.Option([flag, _key(path)], **_type(field, path)))
    return found


def leaves(
    record: Any, prefix: str = "", depth: int = DEPTH
) -> Iterator[tuple[str, FieldDescriptor]]:
    """Yield (path, field) of what a word of the command line can set."""
    for field in record.fields:
        path = f"{prefix}{field.name}"
        inner = field.message_type
        if inner is None or field.is_repeated or inner.full_name in (DATE, INSTANT) or not depth:
            yield path, field
        else:
            yield from leaves(inner, f"{path}.", depth - 1)


def _key(path: str) -> str:
    return path.replace(".", "__")


def _type(field: FieldDescriptor, path: str) -> dict[str, Any]:
    """Return what click has to know of an option: conversion is done later, by the field's type."""
    about: dict[str, Any] = {"help": field_help(field, path)}
    if field.type == FieldDescriptor.TYPE_BOOL and not field.is_repeated:
        return about | {"is_flag": True, "default": None}
    return about | {"multiple": field.is_repeated, "metavar": metavar(field)}


def metavar(field: FieldDescriptor) -> str:
    """Return what stands for a field's value in help: `TEXT`, `DAY`, or the choices."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true|false"
    if field.enum_type is not None:
        return "|".join(choice_words(field))
    if field.message_type is not None:
        return "DAY" if field.message_type.full_name == DATE else "JSON"
    if field.name.endswith("_fen"):
        return "AMOUNT"
    return "NUMBER" if "INT" in _name(field) else "TEXT"


def field_help(field: FieldDescriptor, path: str) -> str:
    """Return what the contract says of a field, then whether it is required and may stand often."""
    said = HELP.get(field.name) if "." not in path else ""
    said = said or comments().get(field.full_name, "")
    notes = [said.rstrip(".") + "." if said else ""]
    if field.name.endswith("_fen"):
        notes.append("Fen, or with its unit: 12.5万元, 300元.")
    if words := chinese_words(field):
        notes.append(f"({'|'.join(words)})")
    if "." not in path and is_required(field):
        notes.append("[required · 必填]")
    if field.is_repeated:
        notes.append("[repeatable · 可重复]")
    return " ".join(filter(None, notes))


def chinese_words(field: FieldDescriptor) -> list[str]:
    """Return the Chinese words that may be said for an enum's values; none for any other field."""
    if field.enum_type is None:
        return []
    choices: Any = field.enum_type
    printed = (choice(field, value.number) for value in choices.values if value.number)
    return [chinese for said in printed if (chinese := said.partition(" ")[2])]


def _name(field: FieldDescriptor) -> str:
    names = {FieldDescriptor.TYPE_INT32: "INT32", FieldDescriptor.TYPE_INT64: "INT64"}
    return names.get(field.type, "")


def fill(request: Message, given: Mapping[str, Any]) -> None:
    """Write what the options say into the request. Raises Failure."""
    for key, value in given.items():
        path = key.replace("__", ".")
        for word in value if isinstance(value, tuple) else [value]:
            if word is not None:
                assign(request, path, str(word), flag_of(path))
