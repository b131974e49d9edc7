"""The code on the page of how to follow, for a phone that looks at a screen."""

import re

import segno

from podhost.app import create_app
from podhost.instance import Instance
from tests.asgi_client import Client
from tests.making import make_show

_DRAWN = re.compile(r'<path class="qrline" stroke="#000" d="([^"]+)"')


def dark_modules(drawing: str) -> set[tuple[int, int]]:
    """Column and row of each dark module, from the lines of the drawing."""
    x, y, found = 0.0, 0.0, set()
    for step, numbers in re.findall(r"([Mmh])([-0-9. ]+)", drawing):
        values = [float(each) for each in numbers.split()]
        if step == "h":
            found |= {(int(x) + offset, int(y)) for offset in range(int(values[0]))}
            x += values[0]
        else:
            x, y = (values[0], values[1]) if step == "M" else (x + values[0], y + values[1])
    return found


def test_the_code_leads_to_the_page_itself(instance: Instance) -> None:
    make_show(instance, "Tide Tables")
    page = Client(create_app(instance)).get("/tide-tables/follow").text
    [drawing] = _DRAWN.findall(page)
    code = segno.make("https://pod.example/tide-tables/follow", error="m", micro=False)
    rows = enumerate(code.matrix_iter(border=2))
    expected = {(x, y) for y, row in rows for x, dark in enumerate(row) if dark}
    assert dark_modules(drawing) == expected
    assert 'role="img" aria-label="QR code that leads to this page"' in page
    # The page's policy lets no style stand in an attribute.
    assert " style=" not in page
