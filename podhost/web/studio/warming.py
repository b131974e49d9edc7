"""Makes ready what the first pages of the studio would else wait for; it answers nobody.

Names of places and languages take a tenth of a second, and so does the doctor.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from importlib import import_module

from podhost.translations import DEFAULT
from podhost.web.studio import pickers
from podhost.web.warming import Step


def steps(now: datetime) -> Iterator[Step]:
    """What pages need beside their templates. A second language adds a hundredth of a second, which
    is less than what having it ready would cost in memory."""
    yield partial(import_module, "podhost.doctor.diagnoses")
    yield partial(pickers.language_choices, DEFAULT)
    yield partial(pickers.time_zone_choices, DEFAULT, now)
