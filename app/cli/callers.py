"""A word with whoever calls for a department that the pack does not know: most often it is a slip."""

import re
from pathlib import Path

import click

CODE = re.compile(r"[0-9]{6}|[0-9A-HJ-NPQRTUWXY]{18}")
"""A division's code, or a unit's credit code."""


def warn_of_unknown(department: str) -> None:
    """Print a warning where a department is in no list; the server decides, by its own pack."""
    if not department or CODE.fullmatch(department):
        return
    known = _departments()
    if not known or department in known:
        return
    from app.importing.fields import nearest

    near = nearest(department.upper(), known)
    click.secho(
        f"warning: no department {department!r}" + (f"; did you mean {near}?" if near else ""),
        fg="yellow",
        err=True,
    )
    click.secho(
        f"警告：没有部门 {department!r}" + (f"；是否为 {near}？" if near else ""),
        fg="yellow",
        err=True,
    )


def _departments() -> list[str]:
    """Return the ids in the pack's list, read alone: a whole pack takes longer than most calls."""
    import yaml

    from app.settings import SettingsError, load

    try:
        file = Path(load().pack) / "departments.yaml"
        content = yaml.safe_load(file.read_text("utf-8"))
        return [str(entry["id"]) for entry in content["departments"]]
    except (OSError, SettingsError, yaml.YAMLError, KeyError, TypeError):
        return []
