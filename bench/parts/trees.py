"""Process trees: starting, stopping, and what they cost.

Owns: /proc. Must not know what the processes do.
CPU time is the measure of the bench because it survives a loaded machine; wall time does not.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

PROC = pathlib.Path("/proc")
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


# Ended from outside, a program of the bench still stops what it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Tree:
    """A program and everything it starts. Use as a context: the end stops it, TERM first, KILL after `grace_s`."""

    def __init__(self, command, log, env=None, stdin=None, stdout=None, grace_s=15):
        self.command = [str(word) for word in command]
        self.log, self.grace_s = pathlib.Path(log), grace_s
        self.options = {"env": {**os.environ, **(env or {})}, "stdin": stdin, "stdout": stdout}

    def __enter__(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            options = dict(self.options, stderr=log)
            options["stdout"] = options["stdout"] or log
            options["stdin"] = options["stdin"] or subprocess.DEVNULL
            self.process = subprocess.Popen(self.command, **options)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(self.grace_s)
        except subprocess.TimeoutExpired:
            for pid in reversed(pids(self.process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        return False

    @property
    def running(self):
        return self.process.poll() is None

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def pss_mb(self):
        return pss_mb(self.process.pid)

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def pids(root):
    """The root and its descendants, parents first."""
    found = [root]
    for pid in found:
        for children in PROC.glob(f"{pid}/task/*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def cpu_s(root):
    """CPU time of a tree, s, with children that ended and were waited for.

    /proc/PID/stat remembers ended threads and children but counts in ticks of 10 ms; schedstat counts nanoseconds of
    the living threads. The larger of the two is right to a tick, and exact while no thread has ended.
    """
    total = 0.0
    for pid in pids(root):
        with contextlib.suppress(OSError):
            user, system, dead_user, dead_system = map(int, _stat(pid)[11:15])
            living = sum(_running_s(task) for task in PROC.glob(f"{pid}/task/*/schedstat"))
            total += max((user + system) * TICK_S, living) + (dead_user + dead_system) * TICK_S
    return total


def _stat(pid):
    # The name in brackets may hold blanks; what follows is plain. Index 11 is utime.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _running_s(schedstat):
    try:
        return int(schedstat.read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0


def threads_s(root):
    """CPU time of each living thread, s, by what its process is called and its own name; same names together."""
    sums = {}
    for pid in pids(root):
        for task in PROC.glob(f"{pid}/task/*"):
            with contextlib.suppress(OSError):
                name = f"{called(pid)}: {(task / 'comm').read_text().strip()}"
                sums[name] = sums.get(name, 0.0) + _running_s(task / "schedstat")
    return sums


def called(pid):
    """A process by the name of its program and its first argument."""
    words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join([pathlib.Path(words[0]).name, *words[1:2]])


def pss_mb(root):
    """Memory of a tree, MB: proportional set size, so that pages shared by its processes count once."""
    total_kb = 0
    for pid in pids(root):
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    return total_kb / 1024


def rss_mb(root):
    """Resident memory of each process of a tree, MB, by what it is called."""
    sizes = []
    for pid in pids(root):
        with contextlib.suppress(OSError):
            pages = int((PROC / str(pid) / "statm").read_text().split()[1])
            sizes.append((called(pid), pages * os.sysconf("SC_PAGE_SIZE") / 2**20))
    return sizes


def load1():
    """Runnable processes of the last minute: how much else the machine had to do."""
    return float((PROC / "loadavg").read_text().split()[0])
