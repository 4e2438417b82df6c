"""What a Catch2 program has written as XML."""
import xml.etree.ElementTree as ElementTree


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
