"""A show is made with a few words, and with its artwork where there is one already."""

import io

import pytest
from PIL import Image

from podhost.instance import Instance
from podhost.shows import get_show
from tests.studio_client import StudioClient
from tests.web.studio.sent_forms import inputs_of

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
NO_PICTURE = {"artwork": ("", b"", "application/octet-stream")}


@pytest.fixture
def operator(instance: Instance) -> StudioClient:
    return StudioClient.visit_as(instance, "operator")


def form_of(page: str) -> dict[str, str]:
    """The form's inputs but for the file."""
    inputs = inputs_of(page, "/studio/shows/new")
    del inputs["artwork"]
    return inputs


def picture(width: int, height: int) -> dict[str, tuple[str, bytes, str]]:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(file, "PNG")
    return {"artwork": ("a.png", file.getvalue(), "image/png")}


def test_a_show_is_made_by_hand(instance: Instance, operator: StudioClient) -> None:
    inputs = form_of(operator.get("/shows/new").text)
    assert inputs["author"] == "Operator"
    wrong = operator.post(
        "/shows/new", inputs | {"title": " ", "author": "Pier <b>"}, files=NO_PICTURE
    )
    assert wrong.status_code == 422
    assert 'id="title-error">It must not be empty.' in wrong.text
    kept = form_of(wrong.text)
    assert kept["author"] == "Pier <b>"
    answer = operator.post(
        "/shows/new",
        kept | {"title": "High Tide", "categories[0]": "Arts > Books", "time_zone": "Asia/Tokyo"},
        files=NO_PICTURE,
    )
    assert answer.headers["location"] == "/studio/shows/high-tide/upload"
    with instance.database.read() as session:
        show = get_show(session, "high-tide")
        assert (show.title, show.categories) == ("High Tide", [["Arts", "Books"]])
        assert show.time_zone == "Asia/Tokyo"


def test_its_artwork_comes_along_or_is_refused_beside_its_field(
    instance: Instance, operator: StudioClient
) -> None:
    inputs = form_of(operator.get("/shows/new").text)
    given = inputs | {"title": "High Tide"}
    wrong = operator.post("/shows/new", given, files=picture(1500, 1400))
    assert wrong.status_code == 422
    assert 'id="f-artwork-error">Artwork must be square' in wrong.text
    assert form_of(wrong.text)["title"] == "High Tide"
    made = operator.post("/shows/new", given, files=picture(1400, 1400))
    assert made.headers["location"] == "/studio/shows/high-tide/upload"
    with instance.database.read() as session:
        artwork = get_show(session, "high-tide").artwork
        assert artwork is not None
        assert not artwork.is_placeholder
