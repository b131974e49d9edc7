"""What msgspec says of a value of the wrong type, as a place and a sentence for people."""

import re

import msgspec

_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")
_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `\$?(?P<place>[^`]*)`)?$", re.DOTALL)
_SPOKEN = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object in curly brackets",
    "null": "null",
}


def type_problem(error: msgspec.ValidationError) -> tuple[str, str]:
    """Where it is wrong, such as "[0].url" ("" for the value itself), and a sentence."""
    match = _PLACE.match(str(error))
    assert match is not None, "the pattern matches everything"
    place, problem = match["place"] or "", match["problem"]
    if types := _EXPECTED.search(problem):
        expected = " or ".join(_spoken(name) for name in types["expected"].split(" | "))
        return place, f"It must be {expected}, not {_spoken(types['got'])}."
    if missing := _MISSING.search(problem):
        return f"{place}.{missing['name']}", "It is missing."
    return place, f"{problem}."


def _spoken(name: str) -> str:
    return _SPOKEN.get(name, name)
