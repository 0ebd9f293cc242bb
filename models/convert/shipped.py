"""A model as it ships: the file, and the manifest beside it that the agent reads.

Owns: the form of the manifests of our own networks (uint8 pictures in; boxes and scores, or sums of classes, out). Must not know: which network.
"""

import hashlib

HEAD = """\
# Written by {by}; change {source} instead.
name = "{name}"
version = "{version}"
file = "{file}"
sha256 = "{sha256}"
licence = "Apache-2.0"
provenance = "{provenance}"
card = "{card}"

[input]
width = {width}
height = {height}
layout = "nhwc"
dtype = "uint8"
color = "rgb"
fit = "stretch"
"""

BOXES = """
[output]
family = "boxes-scores"
nms_iou = 0.5
max_detections = {max_detections}
"""

WORDS = """
[output]
family = "words"
words = "{words}"
"""

LABEL = """
[[label]]
index = {index}
name = "{name}"
group = "{group}"
min_score = {min_score:.2f}
"""


def write(folder, file, data, labels, output=BOXES, **head):
    """The model's bytes and its manifest. `labels`: (column, name, group, min_score); `head`: what HEAD and `output` leave open but
    file and hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data)
    text = (HEAD + output).format(file=file, sha256=sha256, **head)
    text += "".join(LABEL.format(index=i, name=name, group=group, min_score=score) for i, name, group, score in labels)
    (folder / file).with_suffix(".toml").write_text(text)
    print(f"{file} {len(data)} bytes, {len(labels)} labels, input {head['width']}x{head['height']}, sha256 {sha256}")
