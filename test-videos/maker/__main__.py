"""python -m maker CLIP ... | all | --list | --truths | --preview CLIP SECOND ...

--truths: writes the truths of the clips that are there, and no pictures.
"""

import sys
import time

from . import clips, film


def main(words):
    if words[:1] == ["--preview"]:
        return film.make(clips.ALL[words[1]](), preview=[float(w) for w in words[2:]])
    if words[:1] == ["--list"] or not words:
        print("\n".join(clips.ALL))
        return None
    if words == ["--truths"]:
        for name in clips.ALL:
            if (film.HOME / f"{name}.mp4").exists():
                film.write_truth(clips.ALL[name]())
        return None
    for name in (clips.ALL if words == ["all"] else words):
        begin = time.process_time()
        film.make(clips.ALL[name]())
        print(f"{name}: {time.process_time() - begin:.0f} s of CPU", flush=True)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
