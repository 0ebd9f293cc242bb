#!/usr/bin/python3
"""Plays MP4 files as live RTSP cameras.

The H.264 access units go out as they lie in the file (no decoding, no re-encoding),
at the pace of their timestamps. Each client gets the clip from its first frame.
Clips are held in memory: meant for the small ones of this folder.

    serve.py --mount /cam1=bag-left.mp4 [--mount /cam2=...] [--port 8554] [--once | --loop]

--once (default): the stream ends after the clip, as when a camera is switched off.
--loop          : the clip starts again without a gap in the timestamps.
--port 0        : takes a free port; read it from the ready lines.

For every mount one line goes to standard output when the server accepts clients:
    serving rtsp://127.0.0.1:PORT/cam1
SIGTERM and SIGINT end it with exit code 0; a clip that cannot be played is exit code 66.

Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good
(qtdemux, rtph264pay), -bad (h264parse) and -base (appsrc).
"""

import argparse
import pathlib
import signal
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as missing:
    sys.exit(
        f"serve.py: {missing}. Install python3-gi and gir1.2-gst-rtsp-server-1.0 "
        "and start this file with /usr/bin/python3."
    )

NEEDED_ELEMENTS = {
    "qtdemux": "gstreamer1.0-plugins-good",
    "rtph264pay": "gstreamer1.0-plugins-good",
    "h264parse": "gstreamer1.0-plugins-bad",
    "appsrc": "gstreamer1.0-plugins-base",
}
EXIT_NO_INPUT = 66


class Clip:
    """The access units of one file, in memory: (bytes, pts, duration, is key frame)."""

    def __init__(self, path: pathlib.Path):
        self.units = []
        self.caps = None
        location = str(path).replace("\\", "\\\\").replace('"', '\\"')
        pipeline = Gst.parse_launch(
            f'filesrc location="{location}" ! qtdemux name=demux demux.video_0 ! h264parse '
            "! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
        )
        pipeline.set_state(Gst.State.PLAYING)
        out = pipeline.get_by_name("out")
        while sample := out.emit("pull-sample"):
            self.caps = sample.get_caps()
            self.units.append(self._unit(sample.get_buffer()))
        pipeline.set_state(Gst.State.NULL)
        if self.units:
            last = self.units[-1]
            self.length = last[1] + last[2] - self.units[0][1]

    @staticmethod
    def _unit(buffer):
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        data = buffer.extract_dup(0, buffer.get_size())
        return data, buffer.pts, buffer.duration, key


class ClipFactory(GstRtspServer.RTSPMediaFactory):
    """Builds one pipeline a client, so that everybody sees the clip from its start."""

    def __init__(self, clip: Clip, loop: bool):
        super().__init__()
        self.clip = clip
        self.loop = loop
        self.set_shared(False)

    def do_create_element(self, _url):
        # config-interval=-1: SPS and PPS before every key frame, as cameras send them.
        return Gst.parse_launch(
            "( appsrc name=source format=time block=false ! h264parse "
            "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )

    def do_configure(self, media):
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        source = media.get_element().get_by_name("source")
        source.set_property("caps", self.clip.caps)
        source.connect("need-data", Feeder(self.clip, self.loop).on_need_data)


class Feeder:
    """Hands the units of a clip to one client's pipeline; the pipeline's clock sets the pace."""

    def __init__(self, clip: Clip, loop: bool):
        self.clip = clip
        self.loop = loop
        self.next = 0

    def on_need_data(self, source, _length):
        rounds, index = divmod(self.next, len(self.clip.units))
        if rounds and not self.loop:
            source.emit("end-of-stream")
            return
        data, pts, duration, key = self.clip.units[index]
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = pts - self.clip.units[0][1] + rounds * self.clip.length
        buffer.duration = duration
        if not key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self.next += 1
        source.emit("push-buffer", buffer)


def parse_mount(text: str) -> tuple[str, pathlib.Path]:
    mount, sep, clip = text.partition("=")
    if not sep or not mount.startswith("/") or len(mount) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not /NAME=FILE.mp4")
    return mount, pathlib.Path(clip).resolve()


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mount", type=parse_mount, action="append", required=True,
                        metavar="/NAME=FILE.mp4", help="may be given several times")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", default=8554, type=int, help="0 takes a free one")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--once", action="store_true", help="end the stream after the clip (default)")
    pace.add_argument("--loop", action="store_true", help="begin the clip again when it is over")
    return parser.parse_args()


def refuse(reason: str):
    print(f"serve.py: {reason}", file=sys.stderr)
    sys.exit(EXIT_NO_INPUT)


def main():
    opts = options()
    Gst.init(None)
    for element, package in NEEDED_ELEMENTS.items():
        if Gst.ElementFactory.find(element) is None:
            refuse(f"GStreamer has no {element}; install {package}")
    server = GstRtspServer.RTSPServer()
    server.set_address(opts.address)
    server.set_service(str(opts.port))
    mounts = server.get_mount_points()
    for mount, clip in opts.mount:
        if not clip.is_file():
            refuse(f"{clip} is not there")
        played = Clip(clip)
        if not played.units:
            refuse(f"{clip} holds no H.264 video")
        mounts.add_factory(mount, ClipFactory(played, opts.loop))
    if server.attach(None) == 0:
        refuse(f"port {opts.port} on {opts.address} is taken")

    loop = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    # Sessions of clients that vanished are forgotten after their time-out.
    GLib.timeout_add_seconds(5, lambda: server.get_session_pool().cleanup() >= 0)
    for mount, _ in opts.mount:
        print(f"serving rtsp://{opts.address}:{server.get_bound_port()}{mount}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
