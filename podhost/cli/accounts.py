"""The commands `account` and `token`; they parse, print and call; no decision."""

from typing import Any, TextIO

import click

from podhost.cli.options import COMMON, opened, print_json, settings_flags

_ROLES = ("owner", "editor", "analyst")


@click.group()
def account() -> None:
    """Create, list and change accounts."""


@account.command("create")
@click.argument("email")
@click.option("--name", default="", help="The person's name.")
@click.option("--password-file", type=click.File(), help="Its first line; made up otherwise.")
@click.option("--operator", is_flag=True, help="It may do everything; so it is without --show.")
@click.option("--show", help="The show on whose team it is to be.")
@click.option("--role", type=click.Choice(_ROLES), help="Its role there; owner, if unsaid.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_flags(*COMMON)
def create_account(
    email: str,
    name: str,
    password_file: Any,
    operator: bool,
    show: str | None,
    role: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Create an account: an operator's, or with --show one that works on that show.

    Example: podhost account create ann@example.org --name "Ann" --show tide-tables --role editor
    """
    from podhost.commands.accounts import make_account as run

    if role is not None and show is None:
        raise click.UsageError("--role needs --show: on which show is it?")
    given = _first_line(password_file) if password_file else None
    is_operator = operator or show is None
    with opened(flags) as instance:
        answer = run(
            instance,
            email,
            name=name,
            password=given,
            is_operator=is_operator,
            show_slug=show,
            role=role or "owner",
        )
    if as_json:
        print_json(answer)
        return
    click.echo(f"Created the account {answer['email']}.")
    if given is None:
        click.echo(f"Its password, shown this once: {answer['password']}")


@account.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@settings_flags(*COMMON)
def list_accounts(as_json: bool, **flags: Any) -> None:
    """List the accounts, with their roles.

    Example: podhost account list
    """
    from podhost.commands.accounts import all_accounts as run

    with opened(flags) as instance:
        accounts = run(instance)
    if as_json:
        print_json(accounts)
        return
    for entry in accounts:
        roles = [f"{role} of {slug}" for slug, role in entry["roles"].items()]
        states = ["operator"] * entry["is_operator"] + ["closed"] * bool(entry["disabled_at"])
        click.echo(f"{entry['email']}\t{entry['name']}\t{', '.join([*states, *roles])}")


@account.command("password")
@click.argument("email")
@settings_flags(*COMMON)
def reset_password(email: str, **flags: Any) -> None:
    """Print a link with which a new password is set, for who cannot be sent mail.

    It works once, within an hour.

    Example: podhost account password ann@example.org
    """
    from podhost.commands.accounts import reset_link as run

    with opened(flags) as instance:
        link = run(instance, email)
    click.echo(link)


@account.command("change")
@click.argument("email")
@click.option("--operator/--no-operator", default=None, help="May it do everything?")
@click.option("--close/--open", "close", default=None, help="May nobody sign in to it?")
@settings_flags(*COMMON)
def change_account(email: str, operator: bool | None, close: bool | None, **flags: Any) -> None:
    """Make an account an operator's, or close it; or the other way round.

    Example: podhost account change ann@example.org --operator
    """
    from podhost.commands.accounts import change_account as run

    if operator is None and close is None:
        raise click.UsageError("Say what is to change: --operator, --no-operator, --close, --open.")
    with opened(flags) as instance:
        run(instance, email, is_operator=operator, is_closed=close)
    click.echo("The account is changed.")


@click.group()
def token() -> None:
    """Create, list and revoke API tokens."""


@token.command("create")
@click.option("--account", "email", help="Whose; needed when there are several.")
@click.option("--name", default="command line", help="What it is for.")
@click.option("--scope", type=click.Choice(["read", "write"]), default="write")
@click.option("--json", "as_json", is_flag=True, help='Print {"token": ...}.')
@settings_flags(*COMMON)
def create_token(email: str | None, name: str, scope: str, as_json: bool, **flags: Any) -> None:
    """Create an API token; its secret is shown this once.

    Example: podhost token create --account ann@example.org --json
    """
    from podhost.commands import make_token as run

    with opened(flags) as instance:
        answer = run(instance, email=email, name=name, scope=scope)
    if as_json:
        print_json(answer)
        return
    click.echo(f"The token, shown this once: {answer['token']}")


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@settings_flags(*COMMON)
def list_tokens(as_json: bool, **flags: Any) -> None:
    """List the tokens, without their secrets.

    Example: podhost token list
    """
    from podhost.commands import all_tokens as run

    with opened(flags) as instance:
        tokens = run(instance)
    if as_json:
        print_json(tokens)
        return
    for entry in tokens:
        state = "revoked" if entry["revoked_at"] else entry["scope"]
        click.echo(f"{entry['id']}\t{state}\t{entry['account']}\t{entry['name']}")


@token.command("revoke")
@click.argument("token_id")
@settings_flags(*COMMON)
def revoke_token(token_id: str, **flags: Any) -> None:
    """Make a token good for nothing.

    Example: podhost token revoke 0123456789abcdef
    """
    from podhost.accounts.accounts import revoke_token as run

    with opened(flags) as instance, instance.database.write() as session:
        run(session, token_id, now=instance.now())
    click.echo("The token is revoked.")


def _first_line(file: TextIO) -> str:
    try:
        return file.readline().rstrip("\n")
    except UnicodeDecodeError:
        raise click.ClickException(f"The file {file.name} is not UTF-8 text.") from None
