"""Tells HTML that costs its parser far more than it is long, before the parser sees it."""

import re

# 40,000 nested elements took nh3 seconds, and 450 unclosed ones before 3,000 paragraphs half a
# gigabyte; nobody's notes nest ten deep.
_MAX_NESTING = 100
_MAX_REOPENED = 500_000
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


_NEVER_NESTED = _words("p li br hr img input meta link col area wbr source td th tr dt dd option")
_FOREIGN = _words("svg math")
_BARRIERS = _FOREIGN | _words("table caption object applet marquee template select")


def is_entangled(foreign_html: str) -> bool:
    """Say whether HTML may cost its parser more than it is long: nested too deep, or full of
    emphasis that is never closed, which the parser opens again in every block that follows."""
    # So few tags can neither nest too deep nor be opened again too often.
    if foreign_html.count("<") <= _MAX_NESTING:
        return False
    open_tags: list[str] = []
    reopened = 0
    for match in _ANY_TAG.finditer(foreign_html):
        tag = match[2].lower()
        if match[1]:
            _close(tag, open_tags)
        elif tag not in _NEVER_NESTED or not _FOREIGN.isdisjoint(open_tags):
            open_tags.append(tag)
        reopened += len(open_tags)
        if len(open_tags) > _MAX_NESTING or reopened > _MAX_REOPENED:
            return True
    return False


def _close(tag: str, open_tags: list[str]) -> None:
    """Take the last one out that an end tag can reach; what is in a table ends nothing outside."""
    for index in range(len(open_tags) - 1, -1, -1):
        if open_tags[index] == tag:
            del open_tags[index]
            return
        if open_tags[index] in _BARRIERS:
            return
