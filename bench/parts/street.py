"""The street around the agent: a broker, cameras over RTSP, and the agent itself with a real configuration.

Owns ports, configuration and readiness. Must not know what is measured.
"""

import contextlib
import os
import pathlib
import platform
import shutil
import socket
import time

from parts import metrics
from parts.trees import Tree

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("KERBSIDE_DEPS") or ROOT / ".deps")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
KERBSIDE = TARGET / "release" / "kerbside"
MODEL = ROOT / "models" / "street.onnx"
ANALYSIS_FPS = 5.0
# The Makefile names the library; by hand it is the one that tools/setup fetched.
os.environ.setdefault("KERBSIDE_ORT", next(map(str, DEPS.glob(f"onnxruntime/{platform.machine()}/libonnxruntime.so.*")), ""))


class NotReady(Exception):
    """Something did not come up: what, how long it was waited for, and the end of its log."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(what, ready, tree, limit_s=60.0, every_s=0.05):
    """Waits for `ready()` to give something; it may fail until then."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if not tree.running:
            raise NotReady(f"{what}: {tree.command[0]} ended with {tree.process.returncode}:\n{tree.tail()}")
        with contextlib.suppress(OSError, ValueError):
            if found := ready():
                return found
        time.sleep(every_s)
    raise NotReady(f"{what}: not within {limit_s:.0f} s; the end of {tree.log}:\n{tree.tail()}")


@contextlib.contextmanager
def broker(work):
    """mosquitto on a free port of loopback; gives the port."""
    port = free_port()
    config = work / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with Tree([program, "-c", config], work / "mosquitto.log") as tree:
        wait_until("broker", lambda: socket.create_connection(("127.0.0.1", port), 1).close() or True, tree)
        yield port


@contextlib.contextmanager
def cameras(work, clips):
    """Plays each clip in a loop over RTSP; gives the URLs in order."""
    mounts = [word for i, clip in enumerate(clips) for word in ("--mount", f"/cam{i + 1}={clip}")]
    # Debian's own python has the bindings of GStreamer.
    command = ["/usr/bin/python3", "-u", ROOT / "test-videos" / "serve.py", "--port", "0", "--loop", *mounts]
    with Tree(command, work / "cameras.log") as tree:
        def urls():
            words = [line.split() for line in tree.log.read_text().splitlines()]
            found = [line[1] for line in words if line[:1] == ["serving"]]
            return found if len(found) == len(clips) else None
        yield wait_until("RTSP server", urls, tree)


SITE = """\
schema = 1
[device]
edge_id = "bench"
division = "310112"
utc_offset = "+08:00"
data_dir = "{work}/data"
point = [121.37608, 31.1124]
[centre]
url = "mqtt://127.0.0.1:{port}"
receipts = false
[models]
street = "{root}/models/street.toml"
[codes]
scheme = "GB/T 47678.5-2026"
table = "{root}/edge-config/codes/matters.csv"
[health]
listen = "{health}"
"""

CAMERA = """\
[[camera]]
id = "cam{n}"
url = "{url}"
point = [121.37608, 31.1124]
accuracy_m = 15.0
analysis_fps = {analysis_fps}
analysis_width = 640
ring_s = {ring_s}
[[camera.zone]]
id = "square-{n}"
polygon_norm = [[0.02, 0.2], [0.98, 0.2], [0.98, 0.98], [0.02, 0.98]]
[[camera.zone.rule]]
id = "no-dumping-{n}"
kinds = ["waste.exposed"]
dwell_s = 60
min_area_norm = 0.0006
[[camera.zone.rule]]
id = "no-stall-{n}"
kinds = ["stall.occupying"]
dwell_s = 120
min_area_norm = 0.004
"""


class Agent:
    """The release program, watching `urls`. A context; `start_s` is the wall time from start to the first inference."""

    def __init__(self, work, port, urls, ring_s=15):
        self.work, self.health = work, f"127.0.0.1:{free_port()}"
        shutil.rmtree(work / "data", ignore_errors=True)
        (work / "site.toml.data-id").unlink(missing_ok=True)
        site = SITE.format(work=work, port=port, root=ROOT, health=self.health)
        for n, url in enumerate(urls, 1):
            site += CAMERA.format(n=n, url=url, analysis_fps=ANALYSIS_FPS, ring_s=ring_s)
        (work / "site.toml").write_text(site)
        self.tree = Tree([KERBSIDE, "run", "--config", work / "site.toml"], work / "agent.log")

    def __enter__(self):
        self.started = time.monotonic()
        self.tree.__enter__()
        return self

    def __exit__(self, *what):
        return self.tree.__exit__(*what)

    def metrics(self):
        return metrics.read(self.health)

    def next_count(self):
        """Waits until the capture child has just said its counts: a window between two of these has whole seconds of packets."""
        old = self.metrics().total(metrics.PACKETS)
        wait_until("count of packets", lambda: self.metrics().total(metrics.PACKETS) != old, self.tree, limit_s=15)

    def first(self, counter, every_s=0.5):
        """Waits until a counter has moved; gives the seconds since the start of the program."""
        wait_until(f"first of {counter[0]}", lambda: (self.metrics().total(counter) or 0) > 0, self.tree, every_s=every_s)
        return time.monotonic() - self.started
