"""What ordinary forms say, those without files; it knows no page and no field."""

from urllib.parse import parse_qsl

from podhost.errors import Invalid
from podhost.formats.text import clean_text

MOST_FIELDS = 5000


class FormValues:
    """What a form said: each name with its values, in the order in which they stand."""

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        self.pairs = pairs or []

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field, without spaces around it; `default` where it was not sent."""
        found = [value for key, value in self.pairs if key == name]
        return found[-1].strip() if found else default

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.pairs if key == name]

    def has(self, name: str) -> bool:
        """Whether the field was sent; a box that is not ticked is not."""
        return any(key == name for key, _ in self.pairs)

    def names(self) -> list[str]:
        """The fields that were sent, each once, in order."""
        return list(dict.fromkeys(key for key, _ in self.pairs))


def read_form(body: bytes) -> FormValues:
    """The fields of an ordinary form. Raises Invalid."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Invalid("This form cannot be read; open the page again, and try once more.") from None
    # Browsers end lines in a form with CR LF (HTML, form submission); texts here have LF alone.
    return FormValues([(name, clean_text(value.replace("\r\n", "\n"))) for name, value in pairs])
