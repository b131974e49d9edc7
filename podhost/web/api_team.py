"""The API's calls for teams of shows, invitations, and the accounts of this podhost."""

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts import invitations, team
from podhost.accounts.invitations import InvitationAnswer
from podhost.accounts.roles import Permission, require
from podhost.accounts.team import AccountAnswer, Member
from podhost.models import Show
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation

_SHOW = PREFIX + "/shows/{show}"
_MEMBER = _SHOW + "/members/{member}"
_ACCOUNT = PREFIX + "/accounts/{account}"


class MemberList(msgspec.Struct, kw_only=True):
    """Who works on a show."""

    members: list[Member]


class RoleInput(msgspec.Struct, kw_only=True):
    """A role on a show: owner, editor or analyst."""

    role: str


class InvitationInput(msgspec.Struct, kw_only=True):
    """Who is invited, and to which role. `language` is that of the message."""

    email: str
    role: str
    language: str = "en"


class InvitationList(msgspec.Struct, kw_only=True):
    """Invitations that nobody took yet."""

    invitations: list[InvitationAnswer]


class AccountList(msgspec.Struct, kw_only=True):
    """Who has an account here."""

    accounts: list[AccountAnswer]


class AccountInput(msgspec.Struct, kw_only=True):
    """What an operator changes of an account."""

    is_operator: bool | UnsetType = UNSET
    is_disabled: bool | UnsetType = UNSET


def get_members(call: Call, session: Session) -> MemberList:
    """Everybody with a role."""
    return MemberList(members=team.list_members(session, call.show(session)))


def put_member(call: Call) -> Response:
    """Give a member another role."""
    given = call.given(RoleInput, told=Member)
    with call.write() as session:
        show, account_id = call.show(session, lock=True), call.parameters["member"]
        team.set_role(session, show, account_id, given.role, now=call.now())
        answer = team.get_member(session, show, account_id)
    return json_answer(answer)


def remove_member(call: Call) -> Response:
    """Take somebody out of the team; who takes out themselves leaves it."""
    with call.write() as session:
        show, account_id = call.show(session, lock=True), call.parameters["member"]
        team.get_member(session, show, account_id)
        if account_id != call.actor.account_id:
            require(session, call.actor, show, Permission.MANAGE)
        team.remove_member(session, show, account_id, now=call.now())
    return Response(status_code=204)


def get_invitations(call: Call, session: Session) -> InvitationList:
    """Those to a show, or where the path names none, to the podhost."""
    found = invitations.list_invitations(session, _show(call, session), now=call.now())
    return InvitationList(invitations=found)


def post_invitation(call: Call) -> Response:
    """Invite somebody."""
    given = call.given(InvitationInput, told=InvitationAnswer)
    instance = call.instance
    with call.write() as session:
        show = _show(call, session)
        row, link = invitations.create_invitation(
            session,
            given.email,
            given.role,
            show,
            base_url=instance.base_url,
            language=given.language,
            now=call.now(),
        )
        answer = invitations.invitation_answer(session, row, show, now=call.now())
    # Only where nobody else gets it there: the link proves its holder's address.
    if not instance.settings.smtp_url:
        answer = msgspec.structs.replace(answer, link=link)
    path = f"/shows/{show.slug}/invitations" if show is not None else "/invitations"
    return json_answer(answer, 201, location=f"{instance.base_url}{PREFIX}{path}")


def remove_invitation(call: Call) -> Response:
    """Take an invitation back."""
    with call.write() as session:
        invitation_id = call.parameters["invitation"]
        invitations.revoke_invitation(session, _show(call, session), invitation_id, now=call.now())
    return Response(status_code=204)


def get_accounts(call: Call, session: Session) -> AccountList:
    """All accounts."""
    return AccountList(accounts=team.account_answers(session))


def patch_account(call: Call) -> Response:
    """Make somebody an operator, or close their account, and the other way round."""
    given = call.given(AccountInput)
    with call.write() as session:
        account = team.get_account(session, call.parameters["account"])
        if given.is_operator is not UNSET:
            team.set_operator(session, account, given.is_operator, now=call.now())
        if given.is_disabled is True:
            team.disable_account(session, account, now=call.now())
        elif given.is_disabled is False:
            team.enable_account(session, account)
        answer = next(row for row in team.account_answers(session) if row.id == account.id)
    return json_answer(answer)


def remove_account(call: Call) -> Response:
    """An account ends."""
    with call.write() as session:
        account = team.get_account(session, call.parameters["account"])
        team.delete_account(session, account, now=call.now())
    return Response(status_code=204)


def _show(call: Call, session: Session) -> Show | None:
    return call.show(session) if "show" in call.parameters else None


def _invitations(base: str, words: str, needs: Permission, kind: str) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path=base + "/invitations",
            handler=get_invitations,
            name=f"get_{kind}_invitations",
            summary=f"List the invitations {words} that nobody took yet.",
            answer=InvitationList,
            needs=needs,
        ),
        Operation(
            method="POST",
            path=base + "/invitations",
            handler=post_invitation,
            name=f"post_{kind}_invitation",
            summary=f"Invite somebody {words}; the link is mailed.",
            json=InvitationInput,
            answer=InvitationAnswer,
            status=201,
            needs=needs,
        ),
        Operation(
            method="DELETE",
            path=base + "/invitations/{invitation}",
            handler=remove_invitation,
            name=f"remove_{kind}_invitation",
            summary=f"Take an invitation {words} back.",
            status=204,
            needs=needs,
        ),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_SHOW + "/members",
        handler=get_members,
        summary="List who works on a show, and in which role.",
        answer=MemberList,
    ),
    Operation(
        method="PUT",
        path=_MEMBER,
        handler=put_member,
        summary="Give a member another role.",
        json=RoleInput,
        answer=Member,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_MEMBER,
        handler=remove_member,
        summary="Take somebody out of the team, or leave it.",
        status=204,
        # To leave is everybody's right; the handler asks for more where it is somebody else.
        needs=Permission.VIEW,
    ),
    *_invitations(_SHOW, "to a show", Permission.MANAGE, "show"),
    *_invitations(PREFIX, "to this podhost", Permission.OPERATE, "operator"),
    Operation(
        method="GET",
        path=PREFIX + "/accounts",
        handler=get_accounts,
        summary="List who has an account here.",
        answer=AccountList,
    ),
    Operation(
        method="PATCH",
        path=_ACCOUNT,
        handler=patch_account,
        summary="Make an account an operator's, or close it; or the other way round.",
        json=AccountInput,
        answer=AccountAnswer,
    ),
    Operation(
        method="DELETE",
        path=_ACCOUNT,
        handler=remove_account,
        summary="End an account; what it did stays.",
        status=204,
    ),
)
