#!/usr/bin/env bash
# Fetches the real footage into real/ (not committed) and checks it by SHA-256:
#   real/vtest.avi               Debian package opencv-doc (pedestrians, 768x576, 10 fps, 79.5 s)
#   real/traffic_sequence.mp4    PyPI mvtb-data 1.6.1 (traffic at a junction, 704x576, 30 fps, 11.7 s)
#   real/vtest.mp4               vtest.avi as H.264, for RTSP (only where ffmpeg is installed)
# Nothing is installed. Run again at will: what is there and right is kept.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p real

VTEST_SHA256=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
TRAFFIC_SHA256=25c6eb7ed98b144439bf4f844b580c700d48b8d17baee75624b5775705167303

right() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }

checked() { # FILE SHA256 WHERE_FROM
  right "$1" "$2" && return 0
  echo "fetch.sh: $1 from $3 is not the file it should be (SHA-256 $(sha256sum "$1" | cut -d' ' -f1), wanted $2)" >&2
  rm -f "$1"
  return 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! right real/vtest.avi "$VTEST_SHA256"; then
  echo "fetch.sh: opencv-doc from Debian (about 26 MB) ..." >&2
  chmod 755 "$work"
  (cd "$work" && apt-get download opencv-doc >/dev/null)
  dpkg-deb -x "$work"/opencv-doc_*.deb "$work/doc"
  found=$(find "$work/doc" -name 'vtest.avi*' | head -n 1)
  case "$found" in
    "") echo "fetch.sh: opencv-doc holds no vtest.avi" >&2; exit 1 ;;
    *.gz) gzip -dc "$found" > real/vtest.avi ;;
    *) cp "$found" real/vtest.avi ;;
  esac
  checked real/vtest.avi "$VTEST_SHA256" opencv-doc
fi

if ! right real/traffic_sequence.mp4 "$TRAFFIC_SHA256"; then
  echo "fetch.sh: mvtb-data 1.6.1 from PyPI ..." >&2
  python3 -m pip download --quiet --no-deps --dest "$work" mvtb-data==1.6.1
  python3 - "$work" <<'PY'
import pathlib, sys, tarfile, zipfile
work = pathlib.Path(sys.argv[1])
for pack in work.glob("mvtb*"):
    if pack.suffix == ".whl":
        names = (z := zipfile.ZipFile(pack)).namelist()
        opener = z.open
    else:
        names = (t := tarfile.open(pack)).getnames()
        opener = t.extractfile
    for name in names:
        if name.endswith("/traffic_sequence.mp4"):
            pathlib.Path("real/traffic_sequence.mp4").write_bytes(opener(name).read())
PY
  checked real/traffic_sequence.mp4 "$TRAFFIC_SHA256" mvtb-data
fi

if command -v ffmpeg >/dev/null && [ ! -s real/vtest.mp4 ]; then
  echo "fetch.sh: vtest.avi to H.264 ..." >&2
  ffmpeg -v error -y -i real/vtest.avi -an -c:v libx264 -profile:v main -preset veryfast -crf 23 -pix_fmt yuv420p \
    -x264-params keyint=20:min-keyint=20:scenecut=0:bframes=0 -movflags +faststart "$work/vtest.mp4"
  mv "$work/vtest.mp4" real/vtest.mp4
fi
ls -l real
