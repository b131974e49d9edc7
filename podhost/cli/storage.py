"""The commands of `podhost storage`; they parse, print and call, and decide nothing."""

from typing import Any

import click

from podhost.cli.options import COMMON, opened, print_json, settings_flags


@click.group()
def storage() -> None:
    """Look after the storage."""


@storage.command("cors")
@click.option("--apply", "is_applied", is_flag=True, help="Set what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_flags(*COMMON)
def storage_cors(is_applied: bool, as_json: bool, **flags: Any) -> None:
    """Say whether browsers may send uploads straight to the bucket, and what to set if not.

    The bucket is asked as a browser would ask it, for pages of PODHOST_BASE_URL.

    Example: podhost storage cors --apply
    """
    from podhost.uploads.cors import apply_cors, check_cors, rules_text

    look = apply_cors if is_applied else check_cors
    with opened(flags) as instance:
        found = look(instance.storage, instance.base_url)
    if as_json:
        print_json(found)
    else:
        click.echo(found.message)
        if found.rules is not None and not found.is_well:
            click.echo(rules_text(found.rules))
    if not found.is_well:
        raise click.exceptions.Exit(1)
