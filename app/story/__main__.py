"""`python -m app.story`: play the story and print docs/story.md; with --check say whether it differs."""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from app import logs
from app.settings import ROOT
from app.story.playing import played
from app.story.printing import page
from app.story.script import read

SCRIPT = ROOT / "examples" / "stories" / "three_departments.yaml"
PAGE = ROOT / "docs" / "story.md"
PACK = ROOT / "packs" / "henan"
HEAD = "<!-- Printed by `make story` from the events of a run; edits here are lost. -->\n\n"


def printed() -> str:
    """Play the story and return its page."""
    script = read(SCRIPT)
    with TemporaryDirectory() as folder:
        return HEAD + page(script, asyncio.run(played(script, Path(folder), PACK)))


def main() -> int:
    """Return 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m app.story", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    logs.configure("error", "json")
    text = printed()
    if check:
        return int(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
