"""What the test suites have written: Catch2's XML, and the lines of the others."""
import xml.etree.ElementTree as ElementTree

FAILURE_LINES = 30  # of each test that failed


def read_catch(path):
    """A Catch2 XML report: cases passed, names of the failed, skip reasons, is it whole."""
    passed, failed, skips = 0, [], []
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag != "TestCase":
                continue
            result = element.find("OverallResult")
            skipped = element.find(".//Skip")
            if result is None or result.get("success") != "true":
                failed.append(element.get("name", "?"))
            elif skipped is not None:
                skips.append(f"{element.get('name')}: {(skipped.text or '').strip()}")
            else:
                passed += 1
    except (OSError, ElementTree.ParseError):
        return passed, failed, skips, False
    return passed, failed, skips, True


def skips_in(log):
    lines = log.read_text(errors="replace").splitlines()
    return [line[len("SKIP "):].strip() for line in lines if line.startswith("SKIP ")]


def failures_in(lines):
    """What a suite said of each test that failed; it may be far from the end of the log."""
    details = []
    of_failure = 0
    for line in lines:
        if line.startswith("FAIL "):
            of_failure = FAILURE_LINES
        elif not line.startswith("    "):
            of_failure = 0
        if of_failure > 0:
            of_failure -= 1
            details.append(line)
    return details
