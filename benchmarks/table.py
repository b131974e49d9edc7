"""Rows, what came out of them, and how both are printed; it measures nothing."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

HEADINGS = (
    "row",
    "what",
    "podhost",
    "floor",
    "ratio (lowest to highest pair)",
    "CPU per request: podhost / floor",
    "target",
    "met",
    "nginx",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: a sentence, and whether a result keeps it."""

    sentence: str
    is_met: Callable[["Result"], bool] | None


NO_PROMISE = Target("none", None)


def share_of_floor(share: float) -> Target:
    """At least this share of what the floor does."""
    return Target(f"≥ {share:.0%} of the floor", lambda result: (result.ratio or 0) >= share)


def times_floor(factor: float) -> Target:
    """At most this many times what the floor takes."""
    return Target(
        f"≤ {factor:g} × the floor",
        lambda result: result.ratio is not None and result.ratio <= factor,
    )


def at_most(number: float, unit: str) -> Target:
    """No more than this, whatever the floor."""
    return Target(f"≤ {number:g} {unit}", lambda result: (result.podhost or 0) <= number)


def at_least(number: float, unit: str) -> Target:
    """No less than this, whatever the floor."""
    return Target(f"≥ {number:g} {unit}", lambda result: (result.podhost or 0) >= number)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: its name on the command line, what is measured, in which unit."""

    name: str
    what: str
    unit: str
    target: Target


@dataclass(slots=True)
class Result:
    """What came out. `ratio` is the median of the pairs' ratios, podhost to floor.

    With `problem` the row could not be measured, and the sentence says why.
    """

    row: Row
    podhost: float | None = None
    floor: float | None = None
    nginx: float | None = None
    ratio: float | None = None
    ratios: list[float] = field(default_factory=list)
    cpu_us: float | None = None
    floor_cpu_us: float | None = None
    note: str = ""
    problem: str = ""

    @property
    def is_met(self) -> bool | None:
        """None: it was not measured, or nothing was promised."""
        promise = self.row.target.is_met
        return None if promise is None or self.podhost is None else promise(self)

    @property
    def cpu_ratio(self) -> float | None:
        """The floor's CPU time over podhost's: comparable to a ratio of requests per second."""
        if not self.cpu_us or not self.floor_cpu_us:
            return None
        return self.floor_cpu_us / self.cpu_us

    def as_dict(self) -> dict[str, object]:
        """For programs."""
        found = asdict(self)
        row = found.pop("row")
        return {
            "row": row["name"],
            "what": row["what"],
            "unit": row["unit"],
            "target": self.row.target.sentence,
            "is_met": self.is_met,
            "cpu_ratio": self.cpu_ratio,
            **found,
        }

    def cells(self) -> list[str]:
        """One line of the table."""
        unit = self.row.unit
        return [
            self.row.name,
            self.row.what,
            _number(self.podhost, unit),
            _number(self.floor, unit),
            self._ratio_cell(),
            self._cpu_cell(),
            self.row.target.sentence,
            {True: "yes", False: "**no**", None: self._missing()}[self.is_met],
            _number(self.nginx, unit),
        ]

    def _missing(self) -> str:
        return "not measured" if self.podhost is None else ""

    def _ratio_cell(self) -> str:
        if self.ratio is None:
            return ""
        spread = f" ({min(self.ratios):.2f} to {max(self.ratios):.2f})" if self.ratios else ""
        return f"{self.ratio:.2f}{spread}"

    def _cpu_cell(self) -> str:
        if self.cpu_us is None:
            return ""
        if self.floor_cpu_us is None or self.cpu_ratio is None:
            return f"{self.cpu_us:.1f} µs"
        return f"{self.cpu_us:.1f} / {self.floor_cpu_us:.1f} µs = {self.cpu_ratio:.2f}"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f} {unit}"
    return f"{value:.1f} {unit}" if value >= 10 else f"{value:.2f} {unit}"


def render_table(results: Sequence[Result]) -> str:
    """The table as Markdown that is readable as it stands, with its notes below."""
    lines = [list(HEADINGS), *(result.cells() for result in results)]
    # What nobody filled in is left out, but for the columns that say what was promised.
    kept = [
        column
        for column in range(len(HEADINGS))
        if column in (0, 2, 6, 7) or any(line[column] for line in lines[1:])
    ]
    lines = [[line[column] for column in kept] for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(kept))]
    lines.insert(1, ["-" * width for width in widths])
    table = "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
    notes = [
        f"- {result.row.name}: {text}"
        for result in results
        for text in (result.note, result.problem)
        if text
    ]
    return "\n".join([table, "", *notes]) if notes else table
