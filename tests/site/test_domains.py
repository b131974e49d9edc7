"""Whether a domain leads here, judged by what answers there."""

import pytest

from podhost.fetching import Fetched
from podhost.site.domains import judge_answer


@pytest.mark.parametrize(
    ("status", "body", "leads_here"),
    [
        (200, b"tides.example\n", True),
        (200, b"<html>Parked!", False),
        (404, b"", False),
        (502, b"tides.example", False),
    ],
)
def test_only_our_own_answer_is_taken_for_one(status: int, body: bytes, leads_here: bool) -> None:
    found = judge_answer(Fetched("https://tides.example", status, {}, body, ()), "tides.example")
    assert found.leads_here is leads_here
