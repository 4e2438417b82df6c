"""penstock-load's manual page beside its --help: nothing is in one that is not in the other, every
option has an example, and groff has nothing to say against it.
"""
import functools
import re
import subprocess

import suite
from suite import expect
from test_load import tool

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))

COMMANDS = ("run", "serve", "report", "selftest", "calibrate")


def output(*command):
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20, check=True)
    expect(done.stderr == "", f"{command}: {done.stderr}")
    return done.stdout


def options_of(help_text):
    """The names of each option, "-c" and "--connections" together. Newer versions of CLI11 put the
    long ones into a column of their own.
    """
    found = re.findall(r"^ {2,12}((?:-\w, *)?--[\w-]+)", help_text, re.M)
    return [tuple(re.split(", *", names)) for names in found]


def section(page, title):
    found = re.search(rf"^{title}\n(.*?)(?=^\S)", page, re.M | re.S)
    expect(found, f"{title}: {page}")
    return found[1]


def subsection(page, title):
    found = re.search(rf"^   {title}\n(.*?)(?=^ {{0,3}}\S)", page, re.M | re.S)
    expect(found, f"{title}: {page}")
    return found[1]


def uses(names, text):
    return any(re.search(rf"(?<![\w-]){name}(?![\w-])", text) for name in names)


@test("load tool, the manual page has every option of --help, and an example of each")
def manual_page(t):
    roff = output(tool(t), "man")
    path = t.dir / "penstock-load.1"
    path.write_text(roff)
    page = output("groff", "-man", "-Tutf8", "-P-cbou", "-ww", path)
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "MODES", "EXIT STATUS", "SEE ALSO"):
        expect(section(page, title).strip(), f"{title}: {page}")
    for command in COMMANDS:
        help_text = output(tool(t), command, "--help")
        options = [names for names in options_of(help_text) if "--help" not in names]
        expect(len(options) >= (1 if command == "report" else 3), f"{command}: {options}")
        described = section(page, f"OPTIONS OF {command.upper()}")
        help_examples = help_text[help_text.index("\nExamples:\n"):]
        page_examples = subsection(page, command)
        for names in options:
            term = re.escape(", ".join(names))
            expect(re.search(rf"^ {{7}}{term}(?: |$)", described, re.M), f"{command} {names}")
            expect(uses(names, help_examples), f"{command} {names}: no example in --help")
            expect(uses(names, page_examples), f"{command} {names}: no example in the page")
    expect("man" not in re.findall(r"^  (\w+) ", output(tool(t), "--help"), re.M), "hidden")
