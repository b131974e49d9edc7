"""Whether a domain leads to this podhost: asked there, as anybody would; it changes nothing."""

import msgspec

from podhost.config import Settings
from podhost.errors import PodhostError
from podhost.fetching import Fetched, instance_fetcher

_SECONDS = 10
_MOST_BYTES = 2_000


class DomainCheck(msgspec.Struct, kw_only=True):
    """What was found at a domain."""

    domain: str
    leads_here: bool
    sentence: str


def check_domain(settings: Settings, base_url: str, domain: str) -> DomainCheck:
    """Ask at the domain; it takes ten seconds at most. What goes wrong is in the sentence."""
    scheme = base_url.partition("://")[0]
    with instance_fetcher(settings, base_url=base_url, purpose="domain check") as fetcher:
        try:
            found = fetcher.get(
                f"{scheme}://{domain}/-/domain?domain={domain}",
                max_bytes=_MOST_BYTES,
                seconds=_SECONDS,
            )
        except PodhostError as error:
            return DomainCheck(domain=domain, leads_here=False, sentence=error.message)
    return judge_answer(found, domain)


def judge_answer(found: Fetched, domain: str) -> DomainCheck:
    """What the answer to the question for `domain` means."""
    leads_here = found.status == 200 and found.body.strip() == domain.encode("ascii")
    if leads_here:
        sentence = "The domain leads here."
    elif found.status == 404:
        sentence = "Something answers at this domain, but it is not the site of this show."
    else:
        sentence = f"Something else answers at this domain, with status {found.status}."
    return DomainCheck(domain=domain, leads_here=leads_here, sentence=sentence)
