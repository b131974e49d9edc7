"""Who works on a show, who is invited, and the accounts of this podhost."""

from typing import Any

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts import invitations, team
from podhost.accounts.roles import ROLES, Permission
from podhost.errors import NotFound, PodhostError
from podhost.models import Account, Show
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.visits import StudioRoute, Visit

# The team of a show


def team_page(visit: Visit) -> Response:
    """Everybody with a role, and who is invited."""
    return _team(visit)


def _team(visit: Visit, status: int = 200, *, link: str = "", **values: Any) -> Response:
    form, now = visit.form, visit.now()
    with visit.read() as session:
        show = visit.show(session)
        may_manage = Permission.MANAGE in visit.allowed
        waiting = invitations.list_invitations(session, show, now=now) if may_manage else []
        members = team.list_members(session, show)
    return visit.page(
        "studio/team.html",
        status,
        show=show,
        tab="team",
        members=members,
        is_member=any(member.id == visit.account.account_id for member in members),
        waiting=waiting,
        roles=_roles(visit),
        email=form.text("email") if status != 200 else "",
        role=form.text("role") if status != 200 else "editor",
        link=link,
        zone=visit.account.time_zone or show.time_zone,
        **values,
    )


def _roles(visit: Visit) -> list[tuple[str, str]]:
    names = _role_names(visit)
    return [(role, names[role]) for role in ROLES]


def _role_names(visit: Visit) -> dict[str, str]:
    _ = visit.words
    return {"owner": _("Owner"), "editor": _("Editor"), "analyst": _("Analyst")}


def change_role(visit: Visit) -> Response:
    """Give a member another role."""
    _ = visit.words
    role, account_id = visit.form.text("role"), visit.parameters["member"]
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            team.set_role(session, show, account_id, role, now=visit.now())
            member = team.get_member(session, show, account_id)
    except PodhostError as error:
        return _team(visit, 422, error=visit.words.said(error.message))
    name, called = member.name or member.email, _role_names(visit)[member.role]
    say = _("%(name)s has a new role: %(role)s.", name=name, role=called)
    return visit.redirect(f"/shows/{show.slug}/team", say=say)


def remove_page(visit: Visit) -> Response:
    """Asks once."""
    with visit.read() as session:
        show = visit.show(session)
        member = team.get_member(session, show, visit.parameters["member"])
    return visit.page(
        "studio/team_remove.html", show=show, tab="team", member=member, is_self=False
    )


def _remove_page(visit: Visit, show: Show, member: team.Member, *, is_self: bool) -> Response:
    page = "studio/team_remove.html"
    return visit.page(page, show=show, tab="team", member=member, is_self=is_self)


def remove_member(visit: Visit) -> Response:
    """Take a member out of the team."""
    _ = visit.words
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            member = team.get_member(session, show, visit.parameters["member"])
            team.remove_member(session, show, member.id, now=visit.now())
    except PodhostError as error:
        return _team(visit, 422, error=visit.words.said(error.message))
    say = _("%(name)s is no longer in the team.", name=member.name or member.email)
    return visit.redirect(f"/shows/{show.slug}/team", say=say)


def leave_page(visit: Visit) -> Response:
    """Asks once. Operators see the page of a team that they are not in."""
    with visit.read() as session:
        show = visit.show(session)
        try:
            member = team.get_member(session, show, visit.account.account_id)
        except NotFound:
            return visit.redirect(f"/shows/{show.slug}/team")
    return _remove_page(visit, show, member, is_self=True)


def leave(visit: Visit) -> Response:
    """Leave the team."""
    _ = visit.words
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            team.remove_member(session, show, visit.account.account_id, now=visit.now())
    except PodhostError as error:
        return _team(visit, 422, error=visit.words.said(error.message))
    return visit.redirect("/", say=_("You left the team of “%(show)s”.", show=show.title))


# Invitations


def invite(visit: Visit) -> Response:
    """Invite somebody to the show."""
    try:
        with visit.write() as session:
            show = visit.show(session)
            email, link = _invite(visit, session, show)
    except PodhostError as error:
        return _team(visit, 422, **said_beside(visit, error))
    if link:
        return _team(visit, link=link)
    return visit.redirect(f"/shows/{show.slug}/team", say=_sent(visit, email))


def _invite(visit: Visit, session: Session, show: Show | None) -> tuple[str, str]:
    """The address, and the link where nobody else brings it there."""
    row, link = invitations.create_invitation(
        session,
        visit.form.text("email"),
        visit.form.text("role"),
        show,
        base_url=visit.instance.base_url,
        language=visit.language,
        now=visit.now(),
    )
    return row.email, "" if visit.instance.settings.smtp_url else link


def _sent(visit: Visit, email: str) -> str:
    _ = visit.words
    return _("An invitation is on its way to %(email)s.", email=email)


def take_back(visit: Visit) -> Response:
    """Take an invitation to the show back."""
    _ = visit.words
    with visit.write() as session:
        show = visit.show(session)
        invitation_id = visit.parameters["invitation"]
        invitations.revoke_invitation(session, show, invitation_id, now=visit.now())
    return visit.redirect(f"/shows/{show.slug}/team", say=_("The invitation is taken back."))


# Accounts


def accounts_page(visit: Visit) -> Response:
    """Everybody who has an account here."""
    return _accounts(visit)


def _accounts(visit: Visit, status: int = 200, *, link: str = "", **values: Any) -> Response:
    with visit.read() as session:
        accounts = team.account_answers(session)
        waiting = invitations.list_invitations(session, None, now=visit.now())
    return visit.page(
        "studio/accounts.html",
        status,
        accounts=accounts,
        waiting=waiting,
        roles=_role_names(visit),
        email=visit.form.text("email") if status != 200 else "",
        link=link,
        zone=visit.account.time_zone or "UTC",
        **values,
    )


def change_account(visit: Visit) -> Response:
    """Close or open an account, or make it an operator's or not."""
    _ = visit.words
    action = visit.form.text("action")
    try:
        with visit.write() as session:
            account = team.get_account(session, visit.parameters["account"])
            _change(session, account, action, visit)
    except PodhostError as error:
        return _accounts(visit, 422, error=visit.words.said(error.message))
    sentences = {
        "close": _("The account of %(name)s is closed."),
        "open": _("The account of %(name)s is open again."),
        "promote": _("%(name)s is an operator now."),
        "demote": _("%(name)s is no longer an operator."),
    }
    say = sentences.get(action, "%(name)s") % {"name": account.name or account.email}
    return visit.redirect("/accounts", say=say)


def _change(session: Session, account: Account, action: str, visit: Visit) -> None:
    if action == "close":
        team.disable_account(session, account, now=visit.now())
    elif action == "open":
        team.enable_account(session, account)
    elif action in ("promote", "demote"):
        team.set_operator(session, account, action == "promote", now=visit.now())


def delete_account_page(visit: Visit) -> Response:
    """Asks once."""
    with visit.read() as session:
        account = team.get_account(session, visit.parameters["account"])
    return visit.page("studio/account_delete.html", other=account)


def delete_account(visit: Visit) -> Response:
    """An account ends."""
    _ = visit.words
    try:
        with visit.write() as session:
            account = team.get_account(session, visit.parameters["account"])
            name = account.name or account.email
            team.delete_account(session, account, now=visit.now())
    except PodhostError as error:
        return _accounts(visit, 422, error=visit.words.said(error.message))
    return visit.redirect("/accounts", say=_("The account of %(name)s is deleted.", name=name))


def invite_operator(visit: Visit) -> Response:
    """Invite somebody to look after this podhost."""
    try:
        with visit.write() as session:
            email, link = _invite(visit, session, None)
    except PodhostError as error:
        return _accounts(visit, 422, **said_beside(visit, error))
    if link:
        return _accounts(visit, link=link)
    return visit.redirect("/accounts", say=_sent(visit, email))


def take_operator_back(visit: Visit) -> Response:
    """Take an invitation to this podhost back."""
    _ = visit.words
    with visit.write() as session:
        invitation_id = visit.parameters["invitation"]
        invitations.revoke_invitation(session, None, invitation_id, now=visit.now())
    return visit.redirect("/accounts", say=_("The invitation is taken back."))


_TEAM = "/shows/{show}/team"
ROUTES = (
    StudioRoute("GET", _TEAM, team_page, Permission.VIEW),
    StudioRoute("GET", _TEAM + "/leave", leave_page, Permission.VIEW),
    StudioRoute("POST", _TEAM + "/leave", leave, Permission.VIEW),
    StudioRoute("POST", _TEAM + "/invitations", invite, Permission.MANAGE),
    StudioRoute("POST", _TEAM + "/invitations/{invitation}", take_back, Permission.MANAGE),
    StudioRoute("POST", _TEAM + "/members/{member}", change_role, Permission.MANAGE),
    StudioRoute("GET", _TEAM + "/members/{member}/remove", remove_page, Permission.MANAGE),
    StudioRoute("POST", _TEAM + "/members/{member}/remove", remove_member, Permission.MANAGE),
    StudioRoute("GET", "/accounts", accounts_page, Permission.OPERATE),
    StudioRoute("POST", "/accounts/invitations", invite_operator, Permission.OPERATE),
    StudioRoute(
        "POST", "/accounts/invitations/{invitation}", take_operator_back, Permission.OPERATE
    ),
    StudioRoute("POST", "/accounts/{account}", change_account, Permission.OPERATE),
    StudioRoute("GET", "/accounts/{account}/delete", delete_account_page, Permission.OPERATE),
    StudioRoute("POST", "/accounts/{account}/delete", delete_account, Permission.OPERATE),
)
