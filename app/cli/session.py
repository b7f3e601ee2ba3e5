"""What every command needs to know: which server, who calls, how to print."""

import getpass
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from luoshu.client import Client

DEFAULT_ADDRESS = "127.0.0.1:50051"
PATIENCE = 1.5
"""Seconds for which a call is tried again: a person waits in front of the screen."""


@dataclass
class Session:
    """The global options. `caller`: `DEPARTMENT[:ACTOR]`. `deadline`: seconds a call may take."""

    address: str = DEFAULT_ADDRESS
    caller: str = ""
    roles: str = ""
    output: str = "table"
    deadline: float = 10.0
    clients: list["Client"] = field(default_factory=list)

    @property
    def department(self) -> str:
        return self.caller.partition(":")[0]

    @property
    def actor(self) -> str:
        """The account named, else the one of this computer."""
        return self.caller.partition(":")[2] or getpass.getuser()

    @property
    def client(self) -> "Client":
        """The connection, made when it is first asked for."""
        from luoshu.client import connect
        from luoshu.client.retry import Backoff

        if not self.clients:
            from app.cli.callers import warn_of_unknown

            warn_of_unknown(self.department)
            roles = [role.strip() for role in self.roles.split(",") if role.strip()]
            made = connect(
                self.address,
                department=self.department,
                actor=self.actor,
                roles=roles,
                deadline=self.deadline,
                backoff=Backoff(patience=PATIENCE),
            )
            self.clients.append(made)
        return self.clients[0]

    def close(self) -> None:
        while self.clients:
            self.clients.pop().close()


def session(ctx: click.Context) -> Session:
    """Return the session of a command."""
    found = ctx.find_root().ensure_object(Session)
    assert isinstance(found, Session)  # noqa: S101 - nothing else is ever put there
    return found


def _remember(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep a global option wherever it was given: before the command or behind it; behind wins."""
    source = ctx.get_parameter_source(option.name or "")
    given = source is click.core.ParameterSource.COMMANDLINE
    if value is not None and (given or ctx.parent is None):
        setattr(session(ctx), option.name or "", value)


def _option(*names: str, **more: Any) -> click.Option:
    return click.Option(names, callback=_remember, expose_value=False, **more)


GLOBAL_OPTIONS: list[click.Parameter] = [
    _option(
        "--address",
        envvar="LUOSHU_ADDRESS",
        metavar="HOST:PORT",
        help=f"Server; {DEFAULT_ADDRESS} where nothing is said; or SERVICE=HOST:PORT,… [env: LUOSHU_ADDRESS]",
    ),
    _option(
        "--as",
        "caller",
        envvar="LUOSHU_AS",
        metavar="DEPARTMENT[:ACTOR]",
        help="For whom you act, and your account. [env: LUOSHU_AS]",
    ),
    _option(
        "--roles",
        envvar="LUOSHU_ROLES",
        metavar="ROLE,…",
        help="Your roles, such as case_officer,approver. [env: LUOSHU_ROLES]",
    ),
    _option(
        "-o", "--output", type=click.Choice(["table", "json"]), help="How to print: table, json."
    ),
    _option(
        "--deadline",
        type=click.FloatRange(min=0.001),
        metavar="SECONDS",
        help="How long a call may take; 10 where nothing is said.",
    ),
]


class Command(click.Command):
    """A command that takes the global options behind its name too; its own of the same name win."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        taken = {name for param in own for name in param.opts}
        return own + [p for p in GLOBAL_OPTIONS if not taken & set(p.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options; the global ones stand in `luoshu --help`."""
        own = super().get_params(ctx)
        shown = [param for param in own if isinstance(param, click.Option)]
        written = [r for p in shown if (r := p.get_help_record(ctx)) is not None]
        if written:
            with formatter.section("Options"):
                formatter.write_dl(written)
        formatter.write_paragraph()
        formatter.write_text("Global options: see `luoshu --help`.")
