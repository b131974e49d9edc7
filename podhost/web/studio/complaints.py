"""What the domain refuses, as a form says it: in the visitor's language, beside its field."""

from collections.abc import Mapping
from typing import Any

from podhost.errors import PodhostError
from podhost.web.studio.visits import Visit


def said_beside(
    visit: Visit, error: PodhostError, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Values for a page: `field_errors` where the error names fields, `error` where it does not.

    `names` are the form's own names for fields that the domain calls otherwise.
    """
    called = names or {}
    fields = {called.get(name, name): visit.words.said(text) for name, text in error.fields.items()}
    return {"field_errors": fields, "error": "" if fields else visit.words.said(error.message)}
