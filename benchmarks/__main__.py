"""`python -m benchmarks [--quick] [--json] [NAME...]`: runs rows and prints one table."""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence

from benchmarks import (
    api,
    delivery,
    edge,
    importing,
    publish,
    reading,
    rendering,
    search,
    site,
    start,
    studio,
    upload,
)
from benchmarks.lab import Lab
from benchmarks.machine import look_at_machine
from benchmarks.table import Result, Row, render_table

# In the order of the table.
FAMILIES = (
    delivery, edge, api, studio, site, publish, rendering, reading, search, upload, importing,
    start,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 when a row could not be measured, whatever the numbers are."""
    given = _parse(arguments)
    if given.list:
        rows = [row for family in FAMILIES for row in family.ROWS]
        width = max(len(row.name) for row in rows) + 2
        for row in rows:
            print(f"{row.name:{width}}{row.what}; {row.target.sentence}")
        return 0
    # So that a SIGTERM also takes down all that was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began_at = time.monotonic()
    with Lab(is_quick=given.quick, use_wrk=not given.no_wrk) as lab:
        machine = look_at_machine(lab.load_generator)
        lab.say(machine.describe())
        if machine.warning:
            lab.say(machine.warning)
        results = []
        for result in _results(lab, given.names):
            results.append(result)
            lab.say(" | ".join(cell for cell in result.cells() if cell))
    took = time.monotonic() - began_at
    if given.json:
        rows = [result.as_dict() for result in results]
        print(json.dumps({"machine": machine.as_dict(), "seconds": took, "rows": rows}, indent=2))
    else:
        print(render_table(results))
        print(f"\n{machine.describe()} {'Quick. ' if given.quick else ''}It took {took:.0f} s.")
        if machine.warning:
            print(machine.warning)
    return 1 if any(result.problem for result in results) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows or families; all of them")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--no-wrk", action="store_true", help="use our own load generator")
    given = parser.parse_args(arguments)
    known = {row.name for family in FAMILIES for row in family.ROWS}
    known |= {_family_name(family) for family in FAMILIES}
    unknown = sorted(set(given.names) - known)
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; see --list")
    return given


def _family_name(family: object) -> str:
    return family.__name__.rpartition(".")[2]  # type: ignore[attr-defined]


def _results(lab: Lab, names: Sequence[str]) -> Iterator[Result]:
    for family in FAMILIES:
        rows: tuple[Row, ...] = family.ROWS
        is_whole = not names or _family_name(family) in names
        wanted = {row.name for row in rows if is_whole or row.name in names}
        if not wanted:
            continue
        lab.say(f"-- {_family_name(family)}")
        done = set()
        try:
            for result in family.measure(lab, wanted):
                done.add(result.row.name)
                yield result
        except Exception as error:
            # One family that cannot be measured must not take the others with it.
            lab.say(traceback.format_exc())
            problem = f"could not be measured: {error}".strip().splitlines()[0]
            for row in rows:
                if row.name in wanted - done:
                    yield Result(row, problem=problem)


if __name__ == "__main__":
    sys.exit(main())
