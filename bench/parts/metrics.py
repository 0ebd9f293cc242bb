"""The agent's metrics: reading the Prometheus text, and which of its names mean what to the bench.

Owns the names. Must not know how the agent is started.
"""

import math
import re
import urllib.request

LINE = re.compile(r'^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

# Meaning to the bench -> name and labels on the wire.
INFERENCES = ("kerbside_inference_seconds_count", {})
FRAMES = ("kerbside_stage_items_total", {"stage": "gate"})
# Packets of the camera; the capture child reports them once a second. At decode level 2 each is a decoded frame.
PACKETS = ("kerbside_stage_items_total", {"stage": "source"})
LEVEL = ("kerbside_decode_level", {})
DROPPED = "kerbside_dropped_total"
POLICY = "policy"
AGE = "kerbside_frame_age_seconds"


class Sample:
    """One reading of /metrics."""

    def __init__(self, text):
        self.series = []
        for line in text.splitlines():
            if match := LINE.match(line):
                labels = dict(LABEL.findall(match["labels"] or ""))
                self.series.append((match["name"], labels, float(match["value"])))

    def total(self, counter):
        """Sum over the series of that name with these labels; None if there is none."""
        name, labels = counter
        values = [v for n, have, v in self.series if n == name and labels.items() <= have.items()]
        return sum(values) if values else None

    def by(self, name, label):
        """Sums by the value of one label."""
        sums = {}
        for n, have, value in self.series:
            if n == name:
                key = have.get(label, "")
                sums[key] = sums.get(key, 0.0) + value
        return sums

    def buckets(self, name):
        """Cumulative counts by upper bound, all series of the histogram together."""
        sums = {}
        for n, have, value in self.series:
            if n == f"{name}_bucket":
                bound = math.inf if have["le"] == "+Inf" else float(have["le"])
                sums[bound] = sums.get(bound, 0.0) + value
        return sums

    def names(self):
        return sorted({name for name, _, _ in self.series})


def read(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return Sample(answer.read().decode())


def since(before, after, counter):
    """What a counter gained between two samples; None if the agent does not have it."""
    if (end := after.total(counter)) is None:
        return None
    return end - (before.total(counter) or 0.0)


def gained(before, after, name, label):
    """The same by the value of one label, gains only."""
    old = before.by(name, label)
    gains = {key: value - old.get(key, 0.0) for key, value in after.by(name, label).items()}
    return {key: value for key, value in gains.items() if value > 0}


def quantile(before, after, name, q):
    """Quantile of what a histogram gained between two samples, in its unit, linear within a bucket; None if it gained nothing."""
    old = before.buckets(name)
    counts = sorted((bound, value - old.get(bound, 0.0)) for bound, value in after.buckets(name).items())
    if not counts or counts[-1][1] <= 0:
        return None
    want, low, below = q * counts[-1][1], 0.0, 0.0
    for bound, count in counts:
        if count >= want:
            if math.isinf(bound) or count == below:
                return low
            return low + (bound - low) * (want - below) / (count - below)
        low, below = bound, count
    return low
