#!/usr/bin/env bash
# Makes kerbside-sans-sc.otf: Noto Sans CJK SC of Debian 12 (fonts-noto-cjk), cut down to ASCII, GB 2312 (6,763 Chinese characters of
# both levels) and a few signs. The same input gives the same bytes; the last lines say whether they are those that are committed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq fonts-noto-cjk=1:20220127+repack1-1
dpkg -x fonts-noto-cjk_*.deb .
font=usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
echo "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a  $font" | sha256sum --check --quiet
python3 -m venv venv
venv/bin/pip install --quiet fonttools==4.60.1
venv/bin/python3 - > characters <<'PYTHON'
wanted = set(range(0x20, 0x7F)) | {ord(c) for c in "°±×²³·–—‘’“”…≈≤≥□"}
# Rows 1 to 3 (signs, full-width letters), 16 to 87 (Chinese characters) of GB 2312.
for row in [*range(1, 4), *range(16, 88)]:
    for cell in range(1, 95):
        try:
            wanted.add(ord(bytes([row + 0xA0, cell + 0xA0]).decode("gb2312")))
        except UnicodeDecodeError:
            pass
print("\n".join(f"U+{c:04X}" for c in sorted(wanted)))
PYTHON
venv/bin/pyftsubset "$font" --font-number=2 --unicodes-file=characters --layout-features='' --no-hinting \
  --no-glyph-names --notdef-outline --name-IDs='0,1,2,3,4,5,6,13,14' \
  --drop-tables+=vhea,vmtx,VORG,BASE,GSUB,GPOS,GDEF --output-file="$here/kerbside-sans-sc.otf"
cd "$here"
wc -c kerbside-sans-sc.otf
sha256sum --check SHA256SUMS
