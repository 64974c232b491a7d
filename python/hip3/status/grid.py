"""Tables as lines of text: each column as wide as its widest cell. Cheaper by far than a table of rich's own."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

GAP = 2
BETWEEN = 4
Cell = str | Text


class Grid:
    """Columns are (name, is_right). Rows may have a style of their own; nothing is read as markup."""

    def __init__(self, title: str, columns: Sequence[tuple[str, bool]], rule: str) -> None:
        self._title = title
        self._columns = columns
        self._rule = rule
        self._rows: list[tuple[list[Cell], str]] = []

    def add(self, cells: Sequence[Cell], style: str = "") -> None:
        """Adds a row with a cell for each column."""
        self._rows.append((list(cells), style))

    def lines(self) -> list[Text]:
        """Title (when there is one), names, a rule, rows."""
        names: list[Cell] = [name for name, _ in self._columns]
        widths = [
            max(_width(cell) for cell in column)
            for column in zip(names, *(cells for cells, _ in self._rows), strict=True)
        ]
        lines = [Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")] if self._title else []
        lines.append(self._line(names, widths, "bold"))
        ruled = self._rule * (sum(widths) + GAP * (len(widths) - 1))
        lines.append(Text(ruled, style="dim", no_wrap=True, overflow="crop"))
        return lines + [self._line(cells, widths, style) for cells, style in self._rows]

    @property
    def width(self) -> int:
        """Columns that it takes."""
        return max(line.cell_len for line in self.lines())

    def _line(self, cells: Sequence[Cell], widths: Sequence[int], style: str) -> Text:
        line = Text(style=style, no_wrap=True, overflow="ellipsis")
        last = len(widths) - 1
        for place, (cell, width, (_, is_right)) in enumerate(zip(cells, widths, self._columns, strict=True)):
            room = " " * (width - _width(cell))
            if is_right:
                line.append(room)
            line.append(cell)
            if not is_right and place != last:
                line.append(room)
            if place != last:
                line.append(" " * GAP)
        return line

    def __rich__(self) -> RenderableType:
        return Group(*self.lines())


def fit(grids: Sequence[Grid], width: int) -> bool:
    """Whether they have room next to each other."""
    return sum(grid.width for grid in grids) + BETWEEN * (len(grids) - 1) <= width


def beside(grids: Sequence[Grid]) -> RenderableType:
    """Grids next to each other."""
    columns = [grid.lines() for grid in grids]
    height = max(len(lines) for lines in columns)
    widths = [max(line.cell_len for line in lines) for lines in columns]
    rows = []
    for number in range(height):
        row = Text(no_wrap=True, overflow="ellipsis")
        for lines, width in zip(columns, widths, strict=True):
            line = lines[number] if number < len(lines) else Text()
            row.append_text(line).append(" " * (width - line.cell_len + BETWEEN))
        row.rstrip()
        rows.append(row)
    return Group(*rows)


def _width(cell: Cell) -> int:
    return cell.cell_len if isinstance(cell, Text) else len(cell)
