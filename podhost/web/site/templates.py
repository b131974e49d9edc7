"""Templates of the site: podhost's, or those of the operator's in their place where they work."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError

from podhost.config import Settings
from podhost.templating import environment, own_environment

logger = logging.getLogger(__name__)


def rendered(
    settings: Settings | None, language: str, template: str, values: Mapping[str, Any]
) -> bytes:
    """The page that a template makes, as bytes.

    What goes wrong with templates of the operator's is told in the log, and podhost's own make the
    page.
    """
    if settings is not None and settings.site_templates:
        try:
            made = own_environment(language, settings.site_templates)
            return made.get_template(template).render(values).encode()
        # They can do whatever Python can.
        except Exception as error:
            place = _place(error, settings.site_templates)
            logger.warning(
                "a template of PODHOST_SITE_TEMPLATES fails; podhost's own makes %s: %s%s",
                template,
                f"{place}: " if place else "",
                f"{type(error).__name__}: {error}",
            )
    return environment(language).get_template(template).render(values).encode()


def _place(error: Exception, folder: str) -> str:
    """The file and the line of the operator's where it went wrong, as far as that is known."""
    if isinstance(error, TemplateError) and getattr(error, "filename", None):
        return f"{error.filename}, line {getattr(error, 'lineno', '?')}"  # type: ignore[attr-defined]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(folder)]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else ""
