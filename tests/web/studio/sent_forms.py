"""What a browser would send of a form on a page: its inputs as they stand, without any script."""

from html.parser import HTMLParser


class _Inputs(HTMLParser):
    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
        self.pairs: list[tuple[str, str]] = []
        self._is_inside = False
        # Nothing in a template is sent, nor in <noscript> where scripts run.
        self._unsent = 0
        self._select = ""
        self._chosen: str | None = None
        self._first: str | None = None
        self._area: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = given.get("action") == self.action
        if tag in ("template", "noscript"):
            self._unsent += 1
        if not self._is_inside or self._unsent:
            return
        name = given.get("name", "")
        if tag == "input" and name:
            if given.get("type") != "checkbox" or "checked" in given:
                self.pairs.append((name, given.get("value", "")))
        elif tag == "select":
            self._select, self._chosen, self._first = name, None, None
        elif tag == "option":
            self._first = given["value"] if self._first is None else self._first
            if "selected" in given:
                self._chosen = given["value"]
        elif tag == "textarea":
            self._area, self._text = name, ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("template", "noscript"):
            self._unsent -= 1
        elif tag == "form":
            self._is_inside = False
        elif tag == "select" and self._select:
            chosen = self._chosen if self._chosen is not None else self._first or ""
            self.pairs.append((self._select, chosen))
            self._select = ""
        elif tag == "textarea" and self._area is not None:
            # One line break right behind the tag is none of the text (HTML, textarea).
            self.pairs.append((self._area, self._text.removeprefix("\n")))
            self._area = None


def pairs_of(page: str, action: str) -> list[tuple[str, str]]:
    """The inputs of the form with this action, in order."""
    reader = _Inputs(action)
    reader.feed(page)
    return reader.pairs


def inputs_of(page: str, action: str) -> dict[str, str]:
    """The same by name; of several with one name, the last."""
    return dict(pairs_of(page, action))
