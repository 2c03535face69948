"""allauth's pages of sign-in, sign-up and connected sign-ins, which here know the providers and the invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.views import LoginView, SignupView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.internal.flows import trust
from allauth.socialaccount.views import ConnectionsView
from django.conf import settings

from llmconfig.web.invitations import invitation_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def _about(request: HttpRequest) -> dict[str, Any]:
    return {"providers": [each for each in (settings.OIDC, settings.SAML) if each], "invitation": invitation_of(request)}


class Login(LoginView):  # type: ignore[misc]  # no stubs
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_about(self.request)}


class Signup(SignupView):  # type: ignore[misc]  # no stubs
    """An invitation that is for an address makes the account with that one, whatever is sent: another account may have it already."""

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        invitation = invitation_of(self.request)
        if invitation is not None and invitation.email:
            form.initial["email"] = invitation.email
            form.fields["email"].disabled = True
            form.fields["email"].label = "Email"
            form.fields["email"].help_text = "The invitation is for this address."
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_about(self.request)}


class Connections(ConnectionsView):  # type: ignore[misc]  # no stubs
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_about(self.request), "section": "account"}


class Authenticate(AuthenticateView):  # type: ignore[misc]  # no stubs
    """Whether to trust this browser is asked with the code, not on a page of its own."""

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.stage.login.user
        response: HttpResponse = super().form_valid(form)
        if self.request.POST.get("trust"):
            trust.trust_browser(self.request, user, response)
        return response


authenticate = Authenticate.as_view()
login, signup, connections = Login.as_view(), Signup.as_view(), Connections.as_view()
