#!/usr/bin/env bash
# Trains, exports and evaluates the waste detector: models/train/run.sh DATA [RUN]. A maintainer's step: what it makes
# is committed. Needs Python 3.11, 6 GB for the environment, no GPU. START names the weights to begin with.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=$(dirname "$here")
data=$(realpath "${1:?folder with train/ and valid/}")
run=$(realpath -m "${2:-$here/run}")
start=$(realpath "${START:-$models/street.onnx}")
venv=${VENV:-$here/venv}

if [ ! -x "$venv/bin/python" ]; then
    python3.11 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
cd "$here"
export OMP_WAIT_POLICY=PASSIVE
python=$venv/bin/python

# Goes on from $run/last.pt where there is one. MINUTES shortens the course for a slow or lent machine; SIZE is the input
# size in training, which need not be the one that ships.
"$python" -u train.py --data "$data" --start "$start" --run "$run" --size "${SIZE:-320x192}" --epochs "${EPOCHS:-30}" \
    --minutes "${MINUTES:-0}"
"$python" export.py --checkpoint "$run/final.pt" --out "$models" --size 320x192
"$python" dupes.py --data "$data" > "$run/dupes.txt"
"$python" evaluate.py "$models/waste.toml" --data "$data" --out "$models/waste" --leave-out "$run/dupes.txt"
"$python" curves.py "$run/log.jsonl" "$models/waste/epochs.png"
