"""The witness's list of words: which classes of the network each of its sums adds. The twin of agent/infer/src/manifest/words.rs.

Owns: reading `witness-words.toml` and the list of class names beside it. Must not know: networks, pictures.
"""

import difflib
import tomllib
from pathlib import Path

import numpy as np


def read(path):
    """Name of the sum -> row of 0 and 1 over the classes, and the class names."""
    path = Path(path)
    raw = tomllib.loads(path.read_text())
    classes = path.with_name(raw["classes"]).read_text().splitlines()
    sums = {}
    for entry in raw["sum"]:
        row = np.zeros(len(classes), np.float32)
        for word in entry["words"]:
            if word not in classes:
                near = difflib.get_close_matches(word, classes, 1)
                raise SystemExit(f"{path}: {entry['name']}: {word!r} is no class{f'; did you mean {near[0]!r}?' if near else ''}")
            row[[i for i, name in enumerate(classes) if name == word]] = 1
        sums[entry["name"]] = row
    twice = [classes[i] for i in np.flatnonzero(sum(sums.values()) > 1)]
    if twice:
        raise SystemExit(f"{path}: in two sums: {', '.join(twice)}")
    return sums, classes
