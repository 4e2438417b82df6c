"""What scripts/bench has measured, as a table and as a picture."""

import statistics
from html import escape

OURS = "penstock"
PEERS = ("haproxy", "haproxy-tuned", "nginx")


class Results:
    """Samples by case and proxy; those at equal load are kept beside the others."""

    def __init__(self, proxies):
        self.proxies = proxies
        self._samples = {}
        self._equal = {}

    def add(self, case, proxy, sample):
        self._samples.setdefault((case, proxy), []).append(sample)

    def add_equal(self, case, proxy, sample):
        self._equal.setdefault((case, proxy), []).append(sample)

    def samples(self, case, proxy):
        return self._samples.get((case, proxy), [])

    def equal(self, case, proxy):
        return self._equal.get((case, proxy), [])

    def median(self, case, proxy, field="value"):
        return statistics.median(getattr(sample, field) for sample in self.samples(case, proxy))

    def best_peer(self, case):
        """Its name, None where no peer was measured."""
        there = [peer for peer in PEERS if self.samples(case, peer)]
        return min(there, key=lambda peer: self.median(case, peer), default=None)

    def ratio(self, case):
        """Of penstock's figure to the best peer's; None where one of them is missing."""
        peer = self.best_peer(case)
        if peer is None or not self.samples(case, OURS):
            return None
        return self.median(case, OURS) / self.median(case, peer)


def row(cells):
    return "| " + " | ".join(cells) + " |"


def figure_cell(results, case, proxy):
    values = sorted(sample.value for sample in results.samples(case.name, proxy))
    return f"{statistics.median(values):.1f} ({values[0]:.1f} to {values[-1]:.1f})"


def speed_cell(results, case, proxy):
    rate, p50, p99 = (results.median(case.name, proxy, field)
                      for field in ("rate", "p50_us", "p99_us"))
    speed = case.speed(rate)
    return f"{speed}; {p50 / 1e3:.2f} / {p99 / 1e3:.2f}" if p99 else speed


def equal_cell(results, case, proxy):
    samples = results.equal(case.name, proxy)
    p50, p99 = (statistics.median(getattr(sample, field) for sample in samples) / 1e3
                for field in ("p50_us", "p99_us"))
    return f"{p50:.3f} / {p99:.3f}"


def table(cases, results):
    """Three tables: what counts, how fast it went, and the latencies at equal load."""
    measured = [proxy for proxy in results.proxies if proxy != "direct"]
    lines = ["The figure of each case (smaller is better), and penstock's as a part of the best "
             "peer's:", ""]
    lines += [row(["case", "unit", *measured, "ratio", "target"]),
              row(["---"] * (len(measured) + 4))]
    for case in cases:
        ratio = results.ratio(case.name)
        lines.append(row([
            case.name, case.scale[1], *(figure_cell(results, case, proxy) for proxy in measured),
            f"**{ratio:.2f}**" if ratio is not None else "-",
            f"{case.target:.2f}" if case.target else "-"]))
    lines += ["", "Units a second, and latency p50 / p99 in ms. Of idle connections: what the "
              "kernel has for each, the far ends of both sockets among it.", ""]
    lines += [row(["case", *results.proxies]), row(["---"] * (len(results.proxies) + 1))]
    for case in cases:
        lines.append(row([case.name, *(speed_cell(results, case, p) for p in results.proxies)]))
    equal = [case for case in cases if results.equal(case.name, results.proxies[0])]
    if equal:
        lines += ["", "Latency p50 / p99 in ms when all have the same to do:", ""]
        lines += [row(["case", "rate", *results.proxies]),
                  row(["---"] * (len(results.proxies) + 2))]
        for case in equal:
            rate = results.equal(case.name, results.proxies[0])[0].rate
            lines.append(row([case.name, f"{rate:,.0f}/s",
                              *(equal_cell(results, case, p) for p in results.proxies)]))
    return "\n".join(lines)


def bars(cases, results):
    """An SVG: penstock's figure of each case as a part of the best peer's, its target beside it."""
    rows = [(case, results.ratio(case.name)) for case in cases
            if results.ratio(case.name) is not None]
    left, unit, step = 260, 300, 26
    height = step * len(rows) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="760" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" fill="#222222">penstock / the best of its peers, smaller is better '
        "(mark: target)</text>",
    ]
    for number, (case, ratio) in enumerate(rows):
        y = 40 + number * step
        width = min(ratio, 1.6) * unit
        colour = "#2e7d32" if ratio <= 1 else "#c62828"
        parts.append(f'<text x="12" y="{y + 13}" fill="#222222">{escape(case.name)}</text>'
                     f'<rect x="{left}" y="{y}" width="{width:.1f}" height="17" fill="{colour}"/>'
                     f'<text x="{left + width + 6:.1f}" y="{y + 13}" fill="#222222">'
                     f"{ratio:.2f}</text>")
        if case.target:
            x = left + case.target * unit
            parts.append(f'<line x1="{x:.1f}" y1="{y - 2}" x2="{x:.1f}" y2="{y + 19}" '
                         'stroke="#1a237e" stroke-width="2"/>')
    x = left + unit
    parts.append(f'<line x1="{x}" y1="32" x2="{x}" y2="{height - 16}" stroke="#555555" '
                 'stroke-dasharray="4 3"/></svg>')
    return "\n".join(parts) + "\n"
