"""Writes the printed pages of docs/, or with --check says where they differ from the code."""

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from app.docs import api, contract, lifecycles, tables
from app.settings import ROOT

DOCS = ROOT / "docs"
HEAD = "<!-- Printed by `make docs` from the code; edits here are lost. -->\n\n"


def pages() -> dict[str, str]:
    """Return file → text."""
    told = contract.read(ROOT / "proto")
    printed = {
        "api.md": api.page(told),
        "errors.md": tables.errors(),
        "lifecycles.md": lifecycles.page(told),
        "metrics.md": tables.metrics(),
        "settings.md": tables.settings(),
    }
    return {name: HEAD + text for name, text in printed.items()}


def differences(folder: Path) -> Iterator[str]:
    """Yield the lines of a diff from the files to what would be written."""
    for name, text in pages().items():
        path = folder / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        yield from difflib.unified_diff(
            old.splitlines(),
            text.splitlines(),
            f"docs/{name}",
            f"docs/{name} (printed)",
            n=1,
            lineterm="",
        )


def main() -> int:
    """Return 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m app.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if parser.parse_args().check:
        found = list(differences(DOCS))
        print(
            "\n".join([*found, "run: make docs   请运行：make docs"])
            if found
            else "docs: as printed"
        )
        return int(bool(found))
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
