"""Keeps tests/FAULTS.md true: every case is there once, and every test that it names exists."""
import pathlib
import re

import suite
from suite import expect, test

TESTS = pathlib.Path(__file__).resolve().parents[1]
NUMBERS = range(1, 51)


def rows():
    """Number -> the cells behind it, of every row of the table of cases."""
    found = {}
    for line in (TESTS / "FAULTS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0].isdigit():
            expect(int(cells[0]) not in found, f"case {cells[0]} has two rows")
            found[int(cells[0])] = cells[1:]
    return found


def known_tests():
    """What a row may name: `module: sentence` of this suite, `unit: sentence` of the unit tests."""
    known = {f"{case.module}: {case.name}" for case in suite.cases}
    for path in sorted((TESTS / "unit").glob("*_test.cpp")):
        for found in re.finditer(r'TEST_CASE\(\s*((?:"[^"]*"\s*)+),', path.read_text()):
            known.add("unit: " + "".join(re.findall(r'"([^"]*)"', found.group(1))))
    return known


@test("tests/FAULTS.md has every case once, with tests that exist or the feature that it waits for")
def table_is_true(_):
    table = rows()
    missing = [number for number in NUMBERS if number not in table]
    expect(not missing and len(table) == len(NUMBERS), f"missing: {missing}; {len(table)} rows")
    known = known_tests()
    tested = waiting = both = 0
    for number, (_, outcome, cell) in table.items():
        names = re.findall(r"`([^`]+)`", cell)
        waits = re.findall(r"waits for: ([^`<]+)", cell)
        expect(names or waits, f"case {number} names neither a test nor a feature")
        expect(outcome, f"case {number} has no outcome")
        unknown = [name for name in names if name not in known]
        expect(not unknown, f"case {number} names tests that do not exist: {unknown}")
        tested += bool(names and not waits)
        waiting += bool(waits and not names)
        both += bool(names and waits)
    summary = f"{tested} apply and are tested, {both} are tested in part, {waiting} wait for"
    expect(summary in (TESTS / "FAULTS.md").read_text(), f"the summary must say: {summary}")


@test("no end-to-end test of a fault is forgotten in tests/FAULTS.md")
def nothing_forgotten(_):
    text = (TESTS / "FAULTS.md").read_text()
    forgotten = [
        f"{case.module}: {case.name}"
        for case in suite.cases
        if case.module.startswith("test_fault_") and case.module != "test_fault_table"
        if f"`{case.module}: {case.name}`" not in text
    ]
    expect(not forgotten, f"{forgotten}")
