"""The names of a workbook's sheets."""

from services.reports.layouts import LAYOUTS
from services.reports.workbook import FORBIDDEN, LONGEST, short


def test_no_sheets_name_is_cut_and_none_stands_twice() -> None:
    for names in (
        [short(layout.title.en) for layout in LAYOUTS],
        [short(layout.title.zh) for layout in LAYOUTS],
    ):
        assert len(set(names)) == len(names)
        assert [name for name in names if len(name) > LONGEST] == []
        assert [name for name in names if name.translate(FORBIDDEN) != name] == []
