"""What a soak measures of penstock, and the judgement at the end. Pure: samples and counters go in,
lines and complaints come out.
"""
import dataclasses
import json

SLOPE_LIMIT = 10.0  # KiB a minute
SLOPE_FROM = 5.0  # minutes: before it pools, arenas and tables grow to what the load needs
JUDGED_FROM = 15  # minutes that a run must last for its slope to mean anything


@dataclasses.dataclass(frozen=True)
class Sample:
    minute: float
    rss: int  # KiB
    descriptors: int
    counters: dict

    def line(self):
        sessions = self.counters["sessions"]
        reasons = " ".join(f"{name} {count}" for name, count in sorted(sessions["closed"].items()))
        return (
            f"minute {self.minute:5.1f}  rss {self.rss} KiB  descriptors {self.descriptors}  "
            f"active {sessions['active']}  sessions {sessions['accepted']}  closed: {reasons}"
        )


def slope(points):
    """Least squares: KiB a minute over (minute, KiB) points; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def rss_slope(samples):
    return slope([(one.minute, one.rss) for one in samples if one.minute >= SLOPE_FROM])


def complaints_of_counters(final):
    """What the counters printed at the end say that cannot be."""
    complaints = []
    groups = [("sessions", final["sessions"])] + sorted(final["listeners"].items())
    for name, group in groups:
        closed = sum(group["closed"].values())
        if group["active"] or group["accepted"] != closed:
            complaints.append(f"{name}: accepted {group['accepted']}, closed {closed}: {group}")
    for name, group in sorted(final["backends"].items()):
        closed = sum(group["closed"].values())
        if group["active"] or group["connections"] != closed:
            complaints.append(f"{name}: connections {group['connections']}, closed {closed}")
    for reason in ("internal_error", "overload", "shutdown"):
        if final["sessions"]["closed"].get(reason):
            complaints.append(f"sessions ended as {reason}: {json.dumps(final['sessions'])}")
    return complaints
