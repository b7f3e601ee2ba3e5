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
    if not known or department in known.values():
        return
    from app.importing.fields import nearest
    from kernel.units import UNASSIGNED

    near = known.get(nearest(department.upper(), list(known)), "")
    ids = [d for d in dict.fromkeys(known.values()) if d != UNASSIGNED]
    en = (f"did you mean {near}? " if near else "") + f"known: {', '.join(ids)}"
    zh = (f"是否为 {near}？" if near else "") + f"可用：{'、'.join(ids)}"
    click.secho(f"warning: no department {department!r}; {en}", fg="yellow", err=True)
    click.secho(f"警告：没有部门 {department!r}；{zh}", fg="yellow", err=True)


def _departments() -> dict[str, str]:
    """Return ids by all names of the pack's list, read alone: a whole pack takes longer than most calls."""
    import yaml

    from app.settings import SettingsError, load

    try:
        file = Path(load().pack) / "departments.yaml"
        content = yaml.safe_load(file.read_text("utf-8"))
        return {
            str(entry[name]).upper(): str(entry["id"])
            for entry in content["departments"]
            for name in ("id", "zh", "short_zh", "en")
            if name in entry
        }
    except (OSError, SettingsError, yaml.YAMLError, KeyError, TypeError):
        return {}
