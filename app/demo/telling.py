"""What the demonstration says on the terminal: Chinese and English, one line a step."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from rich.cells import set_cell_size
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

PLAIN_WIDTH = 120  # columns where no terminal tells its own
WIDTHS = (5, 12, 22)  # columns of a step: day, whose life, who


class Teller:
    """Writes to one console. Texts are never markup."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self._day: datetime.date | None = None

    def title(self, *lines: str) -> None:
        self.console.print(Panel("\n".join(lines), border_style="cyan", expand=False, padding=(0, 2)))

    def heading(self, zh: str, en: str) -> None:
        self.console.print(Text.assemble("\n", (zh, "bold cyan"), ("  " + en, "cyan")))

    def say(self, zh: str, en: str, style: str = "") -> None:
        """A remark: Chinese, then English, each on its line."""
        self.console.print(Text(f"  {zh}\n  {en}", style))

    def done(self, text: str) -> None:
        self.console.print(Text.assemble(("  ✓ ", "green"), text))

    def command(self, text: str, zh: str, en: str) -> None:
        """A command to copy."""
        self.console.print(Text.assemble(("  $ ", "dim"), (text, "bold"), (f"\n    {zh} · {en}", "dim")), soft_wrap=True)

    def step(self, day: datetime.date, life: str, who: str, text: str, state: str) -> None:
        """One step of a life; `state`: where the record stands after it."""
        self._step(day, life, who, Text.assemble(text, (" → ", "dim"), (state, "green")))

    def refusal(self, day: datetime.date, life: str, who: str, text: str, *why: str) -> None:
        """A step that was refused, as it had to be, with the server's own words."""
        self._step(day, life, who, Text.assemble((f"✗ {text}", "yellow")))
        for line in why:
            self.console.print(Text(f"        {line}", "yellow"))

    def _step(self, day: datetime.date, life: str, who: str, what: Text) -> None:
        shown = f"{day:%m-%d}" if day != self._day else ""
        self._day = day
        cells = [set_cell_size(c, w) for c, w in zip((shown, life, who), WIDTHS, strict=True)]
        parts = ((f"  {cells[0]} ", "bold"), (f"{cells[1]} ", "cyan"), (f"{cells[2]} ", "dim"))
        self.console.print(Text.assemble(*parts, what))

    @contextmanager
    def bars(self) -> Iterator[Progress]:
        """Progress bars of imports; in a pipe only what they came to."""
        columns = (TextColumn("  {task.description}"), BarColumn(20), MofNCompleteColumn(), TextColumn("行 rows"), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            yield progress
