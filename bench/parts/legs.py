"""The legs: what runs once in every round, and the figures it gives. Each returns plain numbers; no leg judges.

`bare-*` are the lower bounds (bench/bare), `agent-*` the release program with a real configuration over RTSP
and a local MQTT broker, `python-*` what it is compared with.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from parts import metrics, trees
from parts.street import DEPS, KERBSIDE, ANALYSIS_FPS, MODEL, ROOT, TARGET, Agent, NotReady, broker, cameras, wait_until

BARE = TARGET / "release" / "bare"
CLIPS = DEPS / "bench"
PYTHON = DEPS / "bench" / "venv" / "bin" / "python"
BUSY, BUSY_SUB = CLIPS / "busy-1080p.mp4", CLIPS / "busy-360p.mp4"
QUIET_SUB, MIXED_SUB = CLIPS / "quiet-360p.mp4", CLIPS / "mixed-360p.mp4"
MIXED_S = 40.0
FPS = 25.0
# Until gate and decode ladder have settled, and a Python program has opened its stream.
SETTLE_S = 6.0
IDLE_SETTLE_S = 15.0


class Skipped(Exception):
    """The leg cannot run on this machine; says why."""


def bare(what, *paths, cpu_s):
    """One bare loop: its CPU time, count, and CPU per piece and per second of stream."""
    words = [str(word) for word in (BARE, what, *paths, "--cpu-s", cpu_s)]
    done = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    done["ms_each"] = 1e3 * done["cpu_s"] / done["count"]
    if done["stream_s"]:
        done["ms_per_stream_s"] = 1e3 * done["cpu_s"] / done["stream_s"]
    return done


def bare_paced(window_s):
    """Both loops at once, a frame every 40 ms and an inference every 200: what a camera's pace alone makes of the same work."""
    asked = {"decode": (BUSY, 1e3 / FPS), "infer": (MODEL, 1e3 / ANALYSIS_FPS)}
    running = {what: subprocess.Popen([str(BARE), what, str(path), "--cpu-s", str(window_s / 6), "--every-ms", str(every_ms)], stdout=subprocess.PIPE)
               for what, (path, every_ms) in asked.items()}
    done = {what: json.loads(process.communicate()[0]) for what, process in running.items()}
    return {f"{what}_ms_each": 1e3 * d["cpu_s"] / d["count"] for what, d in done.items()}


def bare_remux(window_s):
    with tempfile.TemporaryDirectory() as folder:
        return bare("remux", BUSY, pathlib.Path(folder) / "cut.mp4", cpu_s=0.2)


def agent_cut(leg, times=5):
    """The evidence child cuts 20 s out of the packets it is given; CPU with the start of its process, median of some."""
    work = CLIPS / "work" / leg
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "order", "wb") as order:
        subprocess.run([BARE, "order", CLIPS / "cut-1080p.ts", work / "cut.mp4"], check=True, stdout=order)
    cpus_ms = []
    for _ in range(times):
        with open(work / "order", "rb") as order:
            child = subprocess.Popen([KERBSIDE, "capture", "--clip"], stdin=order, stdout=subprocess.PIPE)
        answer = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode or b'"clip":{"Ok"' not in answer:
            raise NotReady(f"capture --clip ended with {child.returncode}: {answer[:300]!r}")
        cpus_ms.append(1e3 * (used.ru_utime + used.ru_stime))
    return {"ms_each": statistics.median(cpus_ms), "count": times}


@contextlib.contextmanager
def workplace(leg, clips):
    """A folder for the leg's files, a broker and its cameras."""
    work = CLIPS / "work" / leg
    work.mkdir(parents=True, exist_ok=True)
    with broker(work) as port, cameras(work, clips) as urls:
        yield work, port, urls


def agent(leg, clips, window_s, settle_s=SETTLE_S, until=metrics.INFERENCES):
    """The agent on these streams, over a window that starts when it has settled."""
    with workplace(leg, clips) as (work, port, urls), Agent(work, port, urls) as it:
        start_s = it.first(until)
        time.sleep(settle_s)
        it.next_count()
        threads_before = trees.threads_s(it.tree.process.pid)
        before, cpu_before, began = it.metrics(), it.tree.cpu_s(), time.monotonic()
        time.sleep(window_s - 0.5)
        it.next_count()
        after, cpu_after, ended = it.metrics(), it.tree.cpu_s(), time.monotonic()
        threads = trees.threads_s(it.tree.process.pid)
        seen = {
            "start_to_first_s": start_s,
            "stream_s": ended - began,
            "cpu_s": cpu_after - cpu_before,
            "inferences": metrics.since(before, after, metrics.INFERENCES),
            "packets": metrics.since(before, after, metrics.PACKETS),
            "decode_level": [before.total(metrics.LEVEL), after.total(metrics.LEVEL)],
            "analysed": metrics.since(before, after, metrics.FRAMES),
            "dropped": metrics.gained(before, after, metrics.DROPPED, metrics.POLICY),
            "age_p50_s": metrics.quantile(before, after, metrics.AGE, 0.5),
            "age_p99_s": metrics.quantile(before, after, metrics.AGE, 0.99),
            "pss_mb": it.tree.pss_mb(),
            "rss_mb": trees.rss_mb(it.tree.process.pid),
            "threads_ms_per_s": {name: 1e3 * (cpu - threads_before.get(name, 0.0)) / (ended - began)
                                 for name, cpu in sorted(threads.items(), key=lambda item: -item[1])},
        }
    seen["ms_per_stream_s"] = 1e3 * seen["cpu_s"] / seen["stream_s"]
    return seen


def agent_start(leg):
    """Wall time from the program's start to its first inference; each poll of /metrics is 10 ms apart."""
    with workplace(leg, [BUSY]) as (work, port, urls), Agent(work, port, urls) as it:
        wait_until("first inference", lambda: (it.metrics().total(metrics.INFERENCES) or 0) > 0, it.tree, every_s=0.01)
        return {"wall_s": time.monotonic() - it.started, "cpu_s": it.tree.cpu_s()}


def python(leg, program, window_s):
    """P0 or P1 on the busy main stream."""
    if not PYTHON.exists():
        raise Skipped(f"no Python environment in {PYTHON.parent.parent}")
    with workplace(leg, [BUSY]) as (work, port, urls):
        command = [PYTHON, ROOT / "bench" / program, urls[0], MODEL, port]
        with trees.Tree(command, work / "python.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tree:
            def counts():
                tree.process.stdin.write(b"\n")
                tree.process.stdin.flush()
                return json.loads(tree.process.stdout.readline() or b"{}")
            wait_until("first analysed frame", lambda: counts().get("analysed"), tree, every_s=0.5)
            time.sleep(SETTLE_S)
            before, cpu_before, began = counts(), tree.cpu_s(), time.monotonic()
            time.sleep(window_s)
            after, cpu_after, ended = counts(), tree.cpu_s(), time.monotonic()
            pss_mb = tree.pss_mb()
    seen = {"cpu_s": cpu_after - cpu_before, "stream_s": ended - began, "pss_mb": pss_mb,
            "decoded": after["frames"] - before["frames"], "inferences": after["analysed"] - before["analysed"]}
    seen["ms_per_stream_s"] = 1e3 * seen["cpu_s"] / seen["stream_s"]
    return seen


# In the order of a round. Each takes the window in seconds.
LEGS = {
    "bare-demux": lambda w: bare("demux", BUSY, cpu_s=0.3),
    "bare-decode": lambda w: bare("decode", BUSY, cpu_s=w / 5),
    "bare-infer": lambda w: bare("infer", MODEL, cpu_s=w / 8),
    "bare-paced": bare_paced,
    "agent-busy": lambda w: agent("agent-busy", [BUSY], w),
    "python-p0": lambda w: python("python-p0", "p0.py", w),
    "python-p1": lambda w: python("python-p1", "p1.py", w),
    "bare-decode-sub": lambda w: bare("decode", BUSY_SUB, cpu_s=w / 15),
    "bare-keys-sub": lambda w: bare("keyframes", QUIET_SUB, cpu_s=w / 30),
    "agent-mixed": lambda w: agent("agent-mixed", [MIXED_SUB], MIXED_S),
    "agent-idle": lambda w: agent("agent-idle", [QUIET_SUB], w, IDLE_SETTLE_S, metrics.FRAMES),
    "agent-idle-4": lambda w: agent("agent-idle-4", [QUIET_SUB] * 4, w, IDLE_SETTLE_S, metrics.FRAMES),
    "bare-remux": bare_remux,
    "agent-cut": lambda w: agent_cut("agent-cut"),
    "agent-start": lambda w: agent_start("agent-start"),
}

__all__ = ["CLIPS", "LEGS", "ANALYSIS_FPS", "NotReady", "PYTHON", "Skipped"]
