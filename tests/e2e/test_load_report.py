"""The pages of penstock-load, seen by a browser: of one piece, without an error, and readable on a
wide screen and on a phone, in light and dark.
"""
import functools
import itertools
import json
import signal
import subprocess
import threading

import fleet
import pace
import suite
from browser import Browser
from suite import expect
from test_load import Serve, load, tool

test = functools.partial(suite.test, tiers=("full",))

# What a reader would stumble over, as sentences.
TROUBLES = """(width => {
  const found = [];
  const said = node => node.textContent.trim().slice(0, 40);
  const wide = document.documentElement.scrollWidth;
  if (wide > width) found.push(`the page is ${wide} wide`);

  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = channels(colour).slice(0, 3).map(value => {
      value /= 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some(each => each.nodeType === 3 && each.data.trim());
    if (!own || node.closest("title")) continue;
    const style = getComputedStyle(node);
    const ink = luminance(node.closest("svg") ? style.fill : style.color);
    const paper = luminance(behind(node));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(1)}: ${said(node)}`);
  }

  for (const picture of document.querySelectorAll("figure > svg")) {
    const name = said(picture.closest("figure"));
    const frame = picture.getBoundingClientRect();
    const labels = [...picture.querySelectorAll("text")]
        .map(node => [said(node), node.getBoundingClientRect()]);
    for (const [index, [text, box]] of labels.entries()) {
      if (box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom ||
          box.top < frame.top) found.push(`cut off in ${name}: ${text}`);
      if (box.height < 9) found.push(`tiny in ${name}: ${text}`);
      for (const [other, beside] of labels.slice(index + 1)) {
        const apart = box.left >= beside.right || beside.left >= box.right ||
            box.top + 2 >= beside.bottom || beside.top + 2 >= box.bottom;
        if (!apart) found.push(`one over the other in ${name}: ${text}, ${other}`);
      }
    }
  }
  return found;
})"""


def troubles(browser, page):
    """Of all widths and schemes; and the page's background by scheme."""
    found = []
    papers = {}
    for width, scheme in itertools.product((1280, 400), ("light", "dark")):
        browser.open(page, width, scheme)
        seen = browser.value(f"{TROUBLES}({width})")
        seen += [f"console: {text}" for text in browser.complaints()]
        elsewhere = set(browser.requests()) - {page.as_uri(), "data:,"}
        seen += [f"asks for {url}" for url in sorted(elsewhere)]
        found += [f"{width} {scheme}: {text}" for text in seen]
        papers[scheme] = browser.value("getComputedStyle(document.body).backgroundColor")
    return found, papers


def expect_readable(browser, page):
    found, papers = troubles(browser, page)
    expect(not found, f"{page.name}: " + "; ".join(found))
    expect(papers["light"] != papers["dark"], f"{papers}")


@test("load report, a page that is hard to read, or not of one piece, is noticed", limit=60)
def bad_page(t):
    browser = Browser(t)
    page = t.dir / "bad.html"
    page.write_text("""<!doctype html><title>bad</title><body>
        <img src="elsewhere.png" alt="none"><p style="width:900px">wide</p>
        <p style="color:#bbb">pale</p><script>nothing.there</script>
        <figure><svg viewBox="0 0 100 50" width="390"><text x="10" y="20">one</text>
        <text x="12" y="20">two</text><text x="95" y="40">three</text></svg></figure>""")
    found = "; ".join(troubles(browser, page)[0])
    for noticed in ("400 light: the page is", "contrast", "console: Uncaught", "elsewhere.png",
                    "one over the other in one", "cut off in one"):
        expect(noticed in found, f"{noticed}: {found}")


def run_files(t, name):
    return [item for kind in ("json", "html") for item in (f"--{kind}", t.dir / f"{name}.{kind}")]


@test("load report, the pages of real runs, good and bad, and of their comparison can be read",
      limit=90)
def readable(t):
    browser = Browser(t)
    serve = Serve(t, "delay", "--delay", "200us", "--other", "9ms", "--share", "0.1")
    shapes = {"poisson": ["--rate", 500, "--arrival", "poisson", "--warmup", "500ms", "-d", "2s"],
              "steps": ["--steps", "100,400@1s"],
              "closed": ["--closed", "-n", 50]}
    for name, shape in shapes.items():
        done = load(t, serve.address, *shape, "-c", 8, "--interval", "200ms", *run_files(t, name))
        expect(done.returncode == 0, f"{name}: {done}")
        expect_readable(browser, t.dir / f"{name}.html")
    expect("<h2>Steps</h2>" in (t.dir / "steps.html").read_text(), "a table of the steps")
    stop = threading.Timer(1, serve.process.kill)
    stop.start()
    load(t, serve.address, "--mode", "conn", "--rate", 200, "-d", "2s", "--assert", "err==0",
         *run_files(t, "killed"))
    stop.join()
    expect_readable(browser, t.dir / "killed.html")
    runs = [t.dir / f"{name}.json" for name in (*shapes, "killed")]
    expect(json.loads(runs[-1].read_text())["errors"], "what was done to the server shows")
    compared = t.dir / "compared.html"
    subprocess.run([tool(t), "report", *runs, *runs, "--html", compared], timeout=pace.slow(10),
                   stdout=subprocess.DEVNULL, check=True)
    expect_readable(browser, compared)


@test("load report, a run ended by Ctrl-C is marked as partial in all that is written of it")
def partial(t):
    backend = fleet.Backend(t, fleet.echo)
    command = [tool(t), "run", backend.address, "--rate", "200", "-d", "60s", "-c", "4",
               *run_files(t, "partial")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.defer(process.kill)
    process.stdout.readline()  # after a second
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=pace.slow(10))
    mark = "interrupted after "
    expect(mark in text and " of 60s: these are partial results" in text, text)
    seen = json.loads((t.dir / "partial.json").read_text())["run"]
    expect(seen["interrupted"] and 0 < seen["duration_ns"] < 60e9, f"{seen}")
    page = (t.dir / "partial.html").read_text()
    expect("INTERRUPTED: partial results" in page and mark in page, page)
