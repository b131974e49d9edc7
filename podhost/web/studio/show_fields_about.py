"""The settings of a show that say what it is, who makes it and how it looks."""

from podhost.web.studio.show_fields import (
    N_,
    Field,
    Group,
    address,
    choice,
    line,
    mail,
    needed,
    number,
    record,
    rows,
    text,
    truth,
)

_LICENSE = (
    needed(line("name", N_("Name"), placeholder="CC-BY-4.0")),
    address("url", N_("Address"), N_("Where the terms can be read, for a licence of your own.")),
)
_LOCATION = (
    needed(line("name", N_("Place"), placeholder="Lisboa")),
    choice(
        "rel",
        N_("What happens there"),
        (
            ("", N_("Not said")),
            ("subject", N_("It is about this place")),
            ("creator", N_("It is made there")),
        ),
    ),
    line("geo", N_("Latitude and longitude"), placeholder="geo:38.72,-9.14"),
    line("osm", N_("OpenStreetMap"), placeholder="R5400890"),
    line("country", N_("Country"), N_("Two letters."), placeholder="PT"),
)
_FREQUENCY = (
    line("label", N_("In words"), placeholder=N_("Every Monday")),
    line("rrule", N_("As a calendar rule"), placeholder="FREQ=WEEKLY;BYDAY=MO"),
    line("dtstart", N_("Counted from"), placeholder="2026-01-05T06:00:00Z"),
    truth("complete", N_("No more episodes will come")),
)

ABOUT = Group(
    name="about",
    title=N_("About"),
    help=N_("What the show is, as apps and directories present it."),
    fields=(
        line(
            "title",
            N_("Title"),
            N_("The show's name, and nothing else: no slogan and no keywords."),
            element="<title>",
            is_required=True,
        ),
        text(
            "description",
            N_("Description"),
            N_("What it is about, in a few sentences. Apps show up to 4,000 characters."),
            element="<description>",
        ),
        line(
            "author",
            N_("Author"),
            N_("The person or group that apps name as the maker."),
            element="<itunes:author>",
        ),
        Field(
            name="language",
            label=N_("Language"),
            help=N_("The language that is spoken; directories sort shows by it."),
            kind="language",
            element="<language>",
            is_required=True,
        ),
        rows(
            "categories",
            N_("Categories"),
            (Field(name="", label=N_("Category"), kind="category"),),
            N_("Where directories list the show. The first one counts most."),
            element="<itunes:category>",
        ),
        truth(
            "explicit",
            N_("Explicit"),
            N_("It is not for children: strong language or adult themes."),
            element="<itunes:explicit>",
        ),
        choice(
            "type",
            N_("Order"),
            (
                ("episodic", N_("Episodic: the newest first")),
                ("serial", N_("Serial: from the first to the last")),
            ),
            N_("How apps list episodes. A serial needs a number for each."),
            element="<itunes:type>",
        ),
        address(
            "link",
            N_("Website"),
            N_("The show's own site. Without one, it is the show's page here."),
            element="<link>",
        ),
        Field(
            name="time_zone",
            label=N_("Time zone"),
            help=N_("Where the dates and times that you enter are meant. Listeners see their own."),
            kind="time_zone",
            is_required=True,
        ),
        line(
            "copyright",
            N_("Copyright"),
            N_("Whose work it is: the name alone, without sign or year."),
            element="<copyright>",
            is_rare=True,
        ),
        record(
            "license",
            N_("Licence"),
            _LICENSE,
            N_("How others may use the show, for instance CC-BY-4.0."),
            element="<podcast:license>",
            is_rare=True,
        ),
        rows(
            "location",
            N_("Places"),
            _LOCATION,
            N_("Places that it is about or is made in; some apps find shows on a map."),
            element="<podcast:location>",
            is_rare=True,
        ),
        record(
            "update_frequency",
            N_("How often episodes come"),
            _FREQUENCY,
            N_("Some apps tell listeners when to expect the next one."),
            element="<podcast:updateFrequency>",
            is_rare=True,
        ),
        truth(
            "complete",
            N_("The show has ended"),
            N_("Directories stop looking for new episodes. Take it back if it goes on after all."),
            element="<itunes:complete>",
            is_rare=True,
        ),
    ),
)

_IMAGE = (
    needed(address("href", N_("Address"))),
    line("alt", N_("In words")),
    line("aspect_ratio", N_("Width to height"), placeholder="16/9"),
    number("width", N_("Width in pixels")),
    number("height", N_("Height in pixels")),
    line("type", N_("Media type"), placeholder="image/jpeg"),
    line("purpose", N_("Purpose"), placeholder="social"),
)

ARTWORK = Group(
    name="artwork",
    title=N_("Artwork"),
    help=N_("The picture that stands for the show everywhere."),
    fields=(
        line(
            "artwork_alt",
            N_("The artwork in words"),
            N_("For listeners who cannot see it. It is printed if all sizes are named."),
            element="<podcast:image alt>",
        ),
        truth(
            "images",
            N_("Name the artwork in all sizes"),
            N_("Apps may then load a small one; the feed grows a little."),
            element="<podcast:image>",
        ),
        rows(
            "other_images",
            N_("Other pictures"),
            _IMAGE,
            N_("Pictures that lie elsewhere, such as a wide one for social networks."),
            element="<podcast:image>",
            is_rare=True,
        ),
    ),
)

_PERSON = (
    needed(line("name", N_("Name"))),
    Field(name="role", label=N_("Role"), kind="role", default="host"),
    Field(name="group", label=N_("Group"), kind="hidden"),
    address("url", N_("Own page")),
    address("image_url", N_("Address of a picture")),
    text("bio", N_("In a sentence or two")),
    rows(
        "links",
        N_("Further links"),
        (
            needed(address("url", N_("Address"))),
            line("name", N_("What it is"), placeholder="Mastodon"),
        ),
    ),
    Field(name="artwork_id", label=N_("Picture kept here"), kind="hidden"),
)

PEOPLE = Group(
    name="people",
    title=N_("People"),
    help=N_("Who makes the show, and whom directories may write to."),
    fields=(
        rows(
            "people",
            N_("Hosts and team"),
            _PERSON,
            N_("They are credited on every episode, unless an episode names a host of its own."),
            element="<podcast:person>",
        ),
        line(
            "owner_name",
            N_("Owner"),
            N_("A person or a company; without one it is the author."),
            element="<itunes:name>",
        ),
        mail(
            "owner_email",
            N_("Owner's e-mail"),
            N_("Directories send a code there to see that it is your show. Everybody can read it."),
            element="<itunes:email>",
        ),
        line(
            "managing_editor",
            N_("Managing editor"),
            N_("Who answers for what is said. Everybody can read it."),
            element="<managingEditor>",
            placeholder="ed@example.org (Ed Itor)",
            is_rare=True,
        ),
        line(
            "web_master",
            N_("Webmaster"),
            N_("Who answers for the technique. Everybody can read it."),
            element="<webMaster>",
            placeholder="web@example.org (Web Master)",
            is_rare=True,
        ),
    ),
)
