"""penstock-load: the search for the highest rate, against a target whose limit is known."""
import functools
import json

import suite
from suite import expect
from test_load import Serve, load

# The features of penstock's ring make no difference to the tool.
test = functools.partial(suite.test, tiers=("full",))


@test("load tool, the highest rate that meets conditions is searched for", limit=70)
def search(t):
    # A connection bears 20 a second, so the limit is known: eight bear 160.
    serve = Serve(t, "delay", "--delay", "50ms")
    # Its limit is where connections are waited for, which may be taken for the generator's.
    results = t.dir / "run.json"
    done = load(t, serve.address, "--rate", "max", "--slo", "p50<200ms,err==0", "-c", 8, "-d", "1s",
                "--start-rate", 100, "--json", results, seconds=60)
    expect(done.returncode in (0, 4), f"exit {done.returncode}: {done.stdout} {done.stderr}")
    told, text = json.loads(results.read_text()), done.stdout
    steps = told["run"]["steps"]
    expect(len(steps) >= 4 and steps[0]["asked_per_second"] == 100, f"{steps}")
    best = max(step["asked_per_second"] for step in steps
               if all(finding["holds"] for finding in step["findings"]))
    t.say(f"{len(steps)} attempts, the best {best:.0f}/s")
    expect(told["run"]["settings"]["rate"] == "max" and "the highest rate that holds" in text, text)
    if not t.small:
        expect(100 <= best <= 180, f"the limit of 160/s: {steps}")
    done = load(t, serve.address, "--rate", "max", "--slo", "p50<20ms", "-c", 8, "-d", "200ms",
                "--start-rate", 8)
    expect(done.returncode == 3 and "no rate holds" in done.stdout, done.stdout)
    for arguments, complaint in ((["--rate", "max"], "say what to meet"),
                                 (["--rate", 5, "--slo", "p99<1s"], "--slo means nothing here"),
                                 (["--rate", "max", "--slo", "p99<", "-c", 1], "--slo: ")):
        done = load(t, serve.address, *arguments)
        expect(done.returncode == 64 and complaint in done.stderr, f"{arguments}: {done.stderr}")
