#!/usr/bin/env python3
"""mdBook preprocessor: a link that leaves the books becomes its text and the path in the repository.

The pages are read in the repository too, where such links work; beside the built books there is nothing behind them.
"""

import json
import pathlib
import posixpath
import re
import sys

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]*)\)")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def inside(chapter, book):
    """The chapter's text without links that leave docs/; `book` is its folder below the root."""
    folder = posixpath.join(book, posixpath.dirname(chapter["path"] or ""))

    def plain(match):
        text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match.group(0)
        path = posixpath.normpath(posixpath.join(folder, target.split("#")[0]))
        if path.startswith(("docs/en/", "docs/zh-CN/")):
            # mdBook makes index.html of README.md, but leaves links to it as they are.
            return re.sub(r"README\.md(?=[)#])", "index.md", match.group(0))
        return text if path in text or posixpath.basename(path) in text else f"{text} (`{path}`)"

    return LINK.sub(plain, chapter["content"])


def walk(items, book):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            chapter["content"] = inside(chapter, book)
            walk(chapter["sub_items"], book)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    folder = pathlib.Path(context["root"]).resolve().relative_to(ROOT).as_posix()
    walk(book.get("sections") or book.get("items") or [], folder)
    json.dump(book, sys.stdout)


main()
