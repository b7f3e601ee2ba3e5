"""Commands of whoever runs the services: serve, migrate, settings."""

import os

import click

from app.cli.session import Command


@click.command(cls=Command)
@click.argument("services", nargs=-1)
def serve(services: tuple[str, ...]) -> None:
    """Run services in this process: all of them, or those that are named."""
    # Of an address that it cannot have, gRPC would write lines of its own before ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from app.serve import main

    main(services)


@click.command(cls=Command)
@click.argument("services", nargs=-1)
def migrate(services: tuple[str, ...]) -> None:
    """Bring the databases of all services, or of those that are named, up to date."""
    from app.migrate import main

    main(services)


@click.command(cls=Command)
def settings() -> None:
    """Print every setting: its name, its value, where it came from and what it means."""
    from app.settings import print_all

    print_all()
