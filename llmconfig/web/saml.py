"""Sign-in by SAML 2.0, with the extra `routekit[saml]`: allauth's views over the operator's settings; signed assertions alone are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.socialaccount.providers.saml.provider import SAMLProvider
from allauth.socialaccount.providers.saml.views import login as begin
from django.conf import settings
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from llmconfig.web.oidc import began_elsewhere

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialApp
    from django.http import HttpRequest, HttpResponse

    from llmconfig.tenancy.single_sign_on import Saml


def describe(app: SocialApp, sso: Saml) -> None:
    app.client_id = sso.slug
    certificate = "".join(line for line in sso.certificate.splitlines() if not line.startswith("-----"))
    app.settings = {
        "idp": {"entity_id": sso.entity_id, "sso_url": sso.sso_url, "x509cert": certificate},
        "attribute_mapping": {
            **SAMLProvider.default_attribute_mapping,
            "email": [sso.email_attribute, *SAMLProvider.default_attribute_mapping["email"]],
        },
        "advanced": {"want_assertion_signed": True, "reject_idp_initiated_sso": True, "strict": True},
    }


class Provider(SAMLProvider):  # type: ignore[misc]  # no stubs
    @classmethod
    def get_package(cls) -> str:
        return "allauth.socialaccount.providers.saml"

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        return dict(data.get_attributes())


@never_cache
def login(request: HttpRequest, organization_slug: str) -> HttpResponse:
    if began_elsewhere(request):
        return render(request, "socialaccount/login.html", {"provider": settings.SAML})
    answer: HttpResponse = begin(request, organization_slug=organization_slug)
    return answer
