"""What the demonstration says on the terminal: Chinese and English, one line a step."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 120  # columns where no terminal tells its own
WIDTHS = (7, 11, 20)  # columns of a step: day, whose life, who


class Teller:
    """Writes to one console. Texts are never markup."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self._day: datetime.date | None = None

    def title(self, *lines: str) -> None:
        self.console.print(
            Panel("\n".join(lines), border_style="cyan", expand=False, padding=(0, 2))
        )

    def heading(self, zh: str, en: str) -> None:
        self.console.print(Text.assemble("\n", (zh, "bold cyan"), ("  " + en, "cyan")))

    def say(self, zh: str, en: str, style: str = "") -> None:
        """A remark: Chinese, then English, each on its line."""
        self.console.print(Padding(Text(f"{zh}\n{en}", style), (0, 0, 0, 2), expand=False))

    def done(self, text: str) -> None:
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(Text("  ✓", "green"), Text(text))
        self.console.print(line)

    def sums(self, rows: Sequence[tuple[str, str, int, int, int, int]]) -> None:
        """What imports came to: rows = entered + already there + refused."""
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        grid.add_column("  ")
        for heading in ("行\nrows", "= 新增\nentered", "+ 已有\nalready there", "+ 拒绝\nrefused"):
            grid.add_column(heading, justify="right")
        for zh, en, *numbers in rows:
            grid.add_row(f"  ✓ {zh}\n    [dim]{en}[/dim]", *(f"{number:,}" for number in numbers))
        self.console.print(grid)

    def command(self, text: str, zh: str, en: str) -> None:
        """A command to copy."""
        self.console.print(
            Text.assemble(("  $ ", "dim"), (text, "bold"), (f"\n    {zh} · {en}", "dim")),
            soft_wrap=True,
        )

    def step(self, day: datetime.date, life: str, who: str, text: str, state: str) -> None:
        """One step of a life; `state`: where the record stands after it."""
        self._step(day, life, who, Text.assemble(text, (" → ", "dim"), (state, "green")))

    def refusal(self, day: datetime.date, life: str, who: str, text: str, *why: str) -> None:
        """A step that was refused, as it had to be, with the server's own words."""
        self._step(day, life, who, Text.assemble((f"✗ {text}", "yellow")))
        for line in why:
            self.console.print(Padding(Text(line, "yellow"), (0, 0, 0, 10), expand=False))

    def _step(self, day: datetime.date, life: str, who: str, what: Text) -> None:
        """A line in columns: what is too long goes on below itself."""
        shown = f"{day:%m-%d}" if day != self._day else ""
        self._day = day
        line = Table.grid(padding=(0, 1, 0, 0))
        for width, style in zip(WIDTHS, ("bold", "cyan", "dim"), strict=True):
            line.add_column(width=width, style=style, no_wrap=True)
        line.add_column(ratio=1, overflow="fold")
        line.add_row(f"  {shown}", life, who, what)
        self.console.print(line)

    @contextmanager
    def bars(self, unit: str = "行 rows") -> Iterator[Progress]:
        """Progress bars; in a pipe only what they came to."""
        counted = (MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())
        columns = (TextColumn("  {task.description}"), BarColumn(20), *counted)
        with Progress(*columns, console=self.console) as progress:
            yield progress
