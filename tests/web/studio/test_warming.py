"""What the first visitors of the studio do not have to wait for."""

from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import Environment

from podhost import templating
from podhost.templating import environment, template_steps
from podhost.web.studio import pickers

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_every_template_is_ready_and_was_compiled_once_for_all_languages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.cache_clear()
    for step in template_steps("studio/"):
        step()
    held = environment("en").cache
    assert held is not None
    ready = {name for _, name in held.keys()}  # noqa: SIM118 - it is no dictionary
    wanted = {name for name in environment("en").list_templates() if "studio/" in name}
    assert wanted and wanted <= ready
    # Nothing is left to compile in another language.
    monkeypatch.setattr(Environment, "_generate", None)
    one, other = (
        environment(language).get_template("studio/base.html") for language in ("en", "es")
    )
    assert one.root_render_func.__code__ is other.root_render_func.__code__


def test_code_of_a_template_that_was_changed_since_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from jinja2 import DictLoader

    monkeypatch.setattr(templating, "_shared_code", templating._SharedCode())
    said = []
    for text in ("high", "low"):
        environment.cache_clear()
        made = environment("en")
        made.loader = DictLoader({"tide.html": text})
        said.append(made.get_template("tide.html").render())
    environment.cache_clear()
    assert said == ["high", "low"]


def test_towns_keep_their_names_and_their_offsets_follow_the_day() -> None:
    def lisbon(moment: datetime) -> str:
        return dict(pickers.time_zone_choices("es", moment)["Europe"])["Europe/Lisbon"]

    assert lisbon(NOON) == "Lisboa (UTC+00:00)"
    assert lisbon(NOON + timedelta(days=150)) == "Lisboa (UTC+01:00)"
