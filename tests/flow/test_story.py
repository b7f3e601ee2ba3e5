"""The story of examples/stories, played by the real services: its page says what their journals say."""

from pathlib import Path

import pytest

from app.story.__main__ import PAGE, SCRIPT, printed
from app.story.script import ScriptError, read


def test_the_page_is_what_the_events_of_a_run_say() -> None:
    assert printed() == PAGE.read_text(encoding="utf-8"), "run: make story"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("{by: drc,", "{by: drcc,", "'drcc' is nobody; known: university"),
        ("  - at: 2026-09-03", "  - {at: 2026-09-03, by: dst, do: accept}", "give one of at, note"),
        ("  - at: 2026-09-03", "  - {day: 2026-09-03}", "step 7: .*'day'"),
    ],
)
def test_a_wrong_step_is_told_with_its_number(
    right: str, wrong: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    said = SCRIPT.read_text(encoding="utf-8").replace(right, wrong, 1)
    path.write_text(said, encoding="utf-8")
    with pytest.raises(ScriptError, match=told):
        read(path)
