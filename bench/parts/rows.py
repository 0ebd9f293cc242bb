"""From legs to rows: one row a metric, with its value, bound, ratio, goal and verdict.

Ratios are taken within a round, where both legs met the same machine, and then the median over the rounds. Absolute times are
shown and never decide whether the bench passes.
"""

import contextlib
from statistics import median

from parts.street import ANALYSIS_FPS

HOUR_S = 3600.0
FPS = 25.0


def rounds_of(legs):
    """Legs that worked, by round and name."""
    by_round = {}
    for leg in legs:
        if "figures" in leg:
            by_round.setdefault(leg["round"], {})[leg["leg"]] = leg["figures"]
    return [by_round[number] for number in sorted(by_round)]


def row(metric, unit, pairs, goal, on="ratio", note=""):
    """`pairs`: (value, bound) of each round, bound None where there is none. `on`: what the goal limits."""
    pairs = [(v, b) for v, b in pairs if v is not None]
    if not pairs:
        return {"metric": metric, "unit": unit, "goal": goal, "on": on, "note": note or "not measured"}
    ratios = [v / b for v, b in pairs if b]
    made = {"metric": metric, "unit": unit, "value": median(v for v, _ in pairs), "rounds": len(pairs),
            "goal": goal, "on": on, "note": note}
    if ratios:
        made |= {"bound": median(b for _, b in pairs if b), "ratio": median(ratios), "spread": [min(ratios), max(ratios)]}
    if goal is not None and made.get(on) is not None:
        made["met"] = made[on] <= goal
    return made


def pairs(rounds, needs, figure):
    """(value, bound) of each round that has all legs in `needs`, and in them the figures it takes."""
    found = []
    for r in rounds:
        if all(name in r for name in needs):
            # A figure that the agent does not export is None.
            with contextlib.suppress(TypeError):
                found.append(figure(*(r[name] for name in needs)))
    return found


def work_ms_per_s(seen, decode, infer):
    """Bare cost of what the agent did: its own counts of frames and inferences, ms of CPU per second of stream."""
    return (frames_of(seen) * decode["ms_each"] + seen["inferences"] * infer["ms_each"]) / seen["stream_s"]


def paced_ms_per_s(seen, paced):
    return work_ms_per_s(seen, {"ms_each": paced["decode_ms_each"]}, {"ms_each": paced["infer_ms_each"]})


def frames_of(seen):
    """Frames decoded: a Python program counts them; of the agent's busy stream every packet is one."""
    return seen["decoded"] if "decoded" in seen else seen["packets"]


def against_python(seen, other, infer):
    return full_ms_per_s(seen, infer), full_ms_per_s(other, infer)


def full_ms_per_s(seen, infer):
    """CPU of a second of stream with all its frames, decoded and analysed, ms.

    On a loaded machine a program falls behind: what it did is scaled to the frames that a second has, and an analysed frame that it left
    out is charged at the bare inference, which no program undercuts.
    """
    frames = frames_of(seen)
    analysed_missing = max(0.0, frames * ANALYSIS_FPS / FPS - seen["inferences"])
    return (1e3 * seen["cpu_s"] + analysed_missing * infer["ms_each"]) * FPS / frames


def detector_ms(seen):
    """CPU of the detector's own thread for one inference: input, run, boxes; None if no thread is called so."""
    ms_per_s = sum(ms for name, ms in seen["threads_ms_per_s"].items() if "detector" in name.rpartition(": ")[2])
    return ms_per_s * seen["stream_s"] / seen["inferences"] if ms_per_s and seen["inferences"] else None


def mixed_bound(decode, keys, infer):
    """20 % of the time every frame and five analysed frames a second, else key frames; ms of CPU per second of stream."""
    return 0.2 * (decode["ms_per_stream_s"] + ANALYSIS_FPS * infer["ms_each"]) + 0.8 * keys["ms_per_stream_s"]


def per_hour(ms_per_s):
    return ms_per_s * HOUR_S / 1e3


def rows(legs):
    r = rounds_of(legs)
    return [
        row("1080p25, 5 analysed frames/s: CPU against bare decode + bare inference", "ms/s",
            pairs(r, ["agent-busy", "bare-decode", "bare-infer"],
                  lambda a, d, i: (a["ms_per_stream_s"], work_ms_per_s(a, d, i))), 1.15),
        row("the same against both at a camera's pace, side by side", "ms/s",
            pairs(r, ["agent-busy", "bare-paced"], lambda a, p: (a["ms_per_stream_s"], paced_ms_per_s(a, p))), 1.15),
        row("the same against P0 (plain Python)", "ms/s", pairs(r, ["agent-busy", "python-p0", "bare-infer"], against_python), 0.40),
        row("the same against P1 (tuned Python)", "ms/s", pairs(r, ["agent-busy", "python-p1", "bare-infer"], against_python), 0.67),
        row("detector thread: CPU of an inference against the bare one", "ms",
            pairs(r, ["agent-busy", "bare-infer"], lambda a, i: (detector_ms(a), i["ms_each"])), 1.03),
        row("inferences a second, 5 asked for", "1/s",
            pairs(r, ["agent-busy"], lambda a: (a["inferences"] / a["stream_s"], ANALYSIS_FPS)), None),
        row("age of a frame when its inference ends, p50", "s", pairs(r, ["agent-busy"], lambda a: (a["age_p50_s"], None)), None),
        row("age of a frame when its inference ends, p99, against period + 2 inferences", "s",
            pairs(r, ["agent-busy", "bare-infer"],
                  lambda a, i: (a["age_p99_s"], 1 / ANALYSIS_FPS + 2 * i["wall_p50_s"])), 1.0),
        row("sub-stream, 20 % busy: CPU-seconds per camera-hour", "s/h",
            pairs(r, ["agent-mixed", "bare-decode-sub", "bare-keys-sub", "bare-infer"],
                  lambda a, d, k, i: (per_hour(a["ms_per_stream_s"]), per_hour(mixed_bound(d, k, i)))), 130, "value"),
        row("idle camera, sub-stream: CPU-seconds per hour", "s/h",
            pairs(r, ["agent-idle", "bare-keys-sub"],
                  lambda a, k: (per_hour(a["ms_per_stream_s"]), per_hour(k["ms_per_stream_s"]))), 30, "value"),
        row("memory, one idle camera (agent and child)", "MB", pairs(r, ["agent-idle"], lambda a: (a["pss_mb"], None)), 100, "value"),
        row("memory, each further camera", "MB",
            pairs(r, ["agent-idle", "agent-idle-4"], lambda a, b: ((b["pss_mb"] - a["pss_mb"]) / 3, None)), 10, "value"),
        row("memory, the busy camera (1080p25)", "MB", pairs(r, ["agent-busy"], lambda a: (a["pss_mb"], None)), None),
        row("cutting a 20 s clip of 1080p25: CPU of the evidence child, its start included", "ms",
            pairs(r, ["agent-cut", "bare-remux"], lambda a, b: (a["ms_each"], b["ms_each"])), 20, "value"),
        row("start to first inference, wall", "s", pairs(r, ["agent-start"], lambda a: (a["wall_s"], None)), 0.3, "value"),
    ]


def text(rows):
    """The table for a terminal."""
    head = ("metric", "value", "bound", "ratio", "(rounds)", "goal", "")
    lines = [head, *(cells(one) for one in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
                     for line in lines)


def cells(one):
    """One row as texts: metric, value, bound, ratio, spread of the ratio, goal, verdict."""
    if "value" not in one:
        return one["metric"], "-", "", "", "", goal(one), one["note"]
    spread = one.get("spread")
    return (one["metric"], f"{figure(one['value'])} {one['unit']}",
            f"{figure(one['bound'])} {one['unit']}" if "bound" in one else "",
            f"{one['ratio']:.3f}" if "ratio" in one else "",
            f"{spread[0]:.2f}..{spread[1]:.2f}" if spread else "", goal(one),
            {True: "met", False: "NOT MET", None: ""}[one.get("met")])


def goal(one):
    if one["goal"] is None:
        return ""
    return f"<= {one['goal']:g}" + ("" if one["on"] == "ratio" else f" {one['unit']}")


def figure(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
