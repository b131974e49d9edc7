"""The settings of a show for apps, for directories and for its feed, and those that few need."""

from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS
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
    word_list,
)

_MEDIUMS = tuple((medium, medium) for medium in (*MEDIUMS, *LIST_MEDIUMS))
OTHER_SHOW_PARTS = (
    needed(line("feed_guid", N_("podcast:guid of the show"))),
    address("feed_url", N_("Address of its feed")),
    line("item_guid", N_("guid of one episode")),
    choice("medium", N_("Medium"), (("", N_("Not said")), *_MEDIUMS)),
    line("title", N_("Title")),
)
_CHAT = (
    needed(line("server", N_("Server"), placeholder="irc.example.org")),
    needed(line("protocol", N_("Protocol"), placeholder="irc")),
    line("account_id", N_("Account")),
    line("space", N_("Room"), placeholder="#show"),
)
_COMMENTS = (
    needed(line("protocol", N_("Protocol"), placeholder="activitypub")),
    line("uri", N_("Address of the post")),
    line("account_id", N_("Account"), placeholder="@show@social.example"),
    address("account_url", N_("Address of the account")),
    number("priority", N_("Rank")),
)
RECIPIENT_PARTS = (
    line("name", N_("Name")),
    needed(line("type", N_("Type"), placeholder="lnaddress")),
    needed(line("address", N_("Address"))),
    needed(number("split", N_("Shares"), default=1)),
    line("custom_key", N_("Key")),
    line("custom_value", N_("Value of the key")),
    truth("fee", N_("It is a fee")),
)
_VALUE = (
    needed(line("type", N_("Type"), placeholder="lightning")),
    needed(line("method", N_("Method"), placeholder="lnaddress")),
    line("suggested", N_("Suggested per minute"), placeholder="0.00000005"),
    needed(rows("recipients", N_("Recipients"), RECIPIENT_PARTS)),
)

APPS = Group(
    name="apps",
    title=N_("Apps and directories"),
    help=N_("How apps and directories treat the show, and what they offer beside it."),
    fields=(
        rows(
            "funding",
            N_("Support"),
            (
                needed(address("url", N_("Address"))),
                line("label", N_("Words on the button"), placeholder=N_("Support the show")),
            ),
            N_("Where listeners can give money; the show's site and many apps have a button."),
            element="<podcast:funding>",
        ),
        rows(
            "podroll",
            N_("Shows that you recommend"),
            OTHER_SHOW_PARTS,
            N_("Some apps list them as “also worth hearing”."),
            element="<podcast:podroll>",
        ),
        truth(
            "blocked",
            N_("Keep out of directories"),
            N_("Asks Apple and others not to list the show; whoever has the feed can subscribe."),
            element="<itunes:block>",
        ),
        line(
            "apple_title",
            N_("Title in Apple Podcasts"),
            N_("Only where it differs from the title."),
            element="<itunes:title>",
            is_rare=True,
        ),
        rows(
            "platform_blocks",
            N_("Single platforms"),
            (
                needed(line("id", N_("Platform"), placeholder="youtube")),
                truth("block", N_("Do not list"), default=True),
            ),
            N_("Ask one platform not to list the show, or to list it although others may not."),
            element="<podcast:block>",
            is_rare=True,
        ),
        number(
            "spotify_limit",
            N_("Episodes on Spotify"),
            N_("So many of the newest are offered there; empty for all."),
            element="<spotify:limit>",
            is_rare=True,
        ),
        word_list(
            "spotify_countries",
            N_("Countries of origin for Spotify"),
            N_("Codes of two letters, the most important first."),
            element="<spotify:countryOfOrigin>",
            placeholder="SE, NO",
            is_rare=True,
        ),
        record(
            "media_restriction",
            N_("Countries"),
            (
                needed(
                    choice(
                        "relationship",
                        N_("Rule"),
                        (
                            ("", N_("Everywhere")),
                            ("allow", N_("Only in these countries")),
                            ("deny", N_("Not in these countries")),
                        ),
                    )
                ),
                needed(word_list("countries", N_("Countries"), placeholder="DE, AT, CH")),
            ),
            N_("Where it may be offered. Few apps keep to it."),
            element="<media:restriction>",
            is_rare=True,
        ),
        rows(
            "txt",
            N_("Proofs and notes for machines"),
            (
                needed(text("text", N_("Text"))),
                line("purpose", N_("Purpose"), placeholder="verify"),
            ),
            N_("A text that a directory asks for to see that the show is yours."),
            element="<podcast:txt>",
            is_rare=True,
        ),
        rows(
            "social_interact",
            N_("Comments"),
            _COMMENTS,
            N_("The post under which listeners comment, such as one in the fediverse."),
            element="<podcast:socialInteract>",
            is_rare=True,
        ),
        record(
            "chat",
            N_("Chat"),
            _CHAT,
            N_("A room where listeners talk."),
            element="<podcast:chat>",
            is_rare=True,
        ),
        record(
            "value",
            N_("Payments while listening"),
            _VALUE,
            N_("Some apps send small amounts by the minute to those who are named here."),
            element="<podcast:value>",
            is_rare=True,
        ),
    ),
)

_FURTHER_FEED = (
    needed(
        line(
            "name",
            N_("Name in the address"),
            N_("It stays as it is. Left empty, a private feed gets one that nobody guesses."),
        )
    ),
    line("title", N_("Title")),
    text("description", N_("Description")),
    line("podcast_guid", N_("podcast:guid"), N_("Only of a feed that was elsewhere before.")),
    truth("private", N_("Private: only for those who are told the address")),
    Field(name="seasons", label=N_("Seasons"), kind="numbers", placeholder="1, 2"),
    word_list("labels", N_("Labels"), placeholder="live"),
    word_list("types", N_("Types"), placeholder="full, bonus"),
    choice("media", N_("Media"), (("", N_("All")), ("audio", N_("Audio")), ("video", N_("Video")))),
    number("newest", N_("Only so many of the newest")),
    number("delay_hours", N_("Hours after publication")),
    number("early_hours", N_("Hours before publication")),
)

FEED = Group(
    name="feed",
    title=N_("Feed"),
    help=N_("How the feed is made and who may move it."),
    fields=(
        truth(
            "locked",
            N_("Locked"),
            N_("Asks other hosts not to import the show. Unlock it only to move."),
            element="<podcast:locked>",
        ),
        truth(
            "write_tags",
            N_("Write tags into new audio"),
            N_("Title, artwork and chapters go into the file too; the sound stays bit for bit."),
        ),
        truth(
            "inline_chapters",
            N_("Chapters inside the feed"),
            N_("For apps that read no chapters file; the feed grows."),
            element="<psc:chapters>",
        ),
        rows(
            "feeds",
            N_("Further feeds"),
            _FURTHER_FEED,
            N_("Feeds with a choice of the episodes: a season, a label, early access."),
            is_rare=True,
        ),
        number(
            "slim_after",
            N_("Short notes after"),
            N_(
                "Episodes behind so many of the newest get short notes in the feed; empty for none."
            ),
            element="<content:encoded>",
            is_rare=True,
        ),
        number(
            "feed_page_size",
            N_("Episodes on a page"),
            N_("Cuts a very large feed. Apple and Spotify then show the newest page only."),
            element='<atom:link rel="next">',
            is_rare=True,
        ),
        mail(
            "locked_owner",
            N_("Address in the lock"),
            N_("Only if a new host asks for it: everybody can read it, and it attracts spam."),
            element="<podcast:locked owner>",
            is_rare=True,
        ),
        address(
            "new_feed_url",
            N_("New address of the feed"),
            N_("Says in the feed alone that it has moved. To move for good, use “Move out”."),
            element="<itunes:new-feed-url>",
            is_rare=True,
        ),
    ),
)

ADVANCED = Group(
    name="advanced",
    title=N_("Advanced"),
    help=N_("Settings with lasting effects, and those that few shows need."),
    fields=(
        line(
            "slug",
            N_("Name in addresses"),
            N_("Letters a to z, digits and hyphens. Old addresses go on leading here."),
            element='<atom:link rel="self">',
            is_required=True,
        ),
        line(
            "podcast_guid",
            N_("podcast:guid"),
            N_("The show's identity for life. Change it only to that of an earlier feed."),
            element="<podcast:guid>",
            is_required=True,
        ),
        choice(
            "medium",
            N_("Medium"),
            _MEDIUMS,
            N_("What the feed holds. A list (such as podcastL) has no episodes of its own."),
            element="<podcast:medium>",
        ),
        record(
            "publisher",
            N_("Publisher"),
            OTHER_SHOW_PARTS,
            N_("The feed of the publisher whose show it is."),
            element="<podcast:publisher>",
            is_rare=True,
        ),
        rows(
            "remote_items",
            N_("Items of a list"),
            OTHER_SHOW_PARTS,
            N_("What a list or a publisher names. It needs such a medium."),
            element="<podcast:remoteItem>",
            is_rare=True,
        ),
        Field(
            name="live_items",
            label=N_("Live streams"),
            help=N_("A list in JSON, each with guid, title, start, status and content_links."),
            kind="json",
            element="<podcast:liveItem>",
            is_rare=True,
        ),
        rows(
            "foreign_tags",
            N_("Tags of others"),
            (text("", N_("XML element")),),
            N_("Elements that podhost does not know, each with its namespace."),
            is_rare=True,
        ),
    ),
)

MOVE = Group(
    name="move",
    title=N_("Move out"),
    help=N_("Lead the feed, and if you like the audio, to a new host for good."),
    fields=(
        address(
            "moved_to",
            N_("The feed at the new host"),
            N_("It is read first; apps are sent there once every episode is in it."),
            element="<itunes:new-feed-url>",
        ),
        truth(
            "moved_audio",
            N_("Lead the audio there too"),
            N_("The audio's addresses answer with the new host's; otherwise it is served here."),
        ),
    ),
)
