"""Every URL of routekit; api.md in the documentation names those that are contract."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from csp.decorators import csp_update
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from llmconfig.admin import second_factors
from llmconfig.web.views import audit
from routekit import health

admin.autodiscover()
second_factors.take_over()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth's documentation does it
# Swagger UI's page has one style of its own, named here by its SHA-256, and its stylesheet draws arrows from data: URLs.
swagger = csp_update({"style-src": ["'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"], "img-src": ["data:"]})(
    require_safe(SpectacularSwaggerSplitView.as_view(url_name="schema"))  # it has no page for what it does not know
)

urlpatterns = [
    path("", include("agent.web.urls")),
    path("settings/", include("llmconfig.web.urls")),
    path("organization/", include("llmconfig.web.organization_urls")),
    path("audit/", audit, name="audit"),
    path("api/", include("llmconfig.api.urls")),
    path("api/", include("agent.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", swagger, name="docs"),
    path("accounts/", include("llmconfig.web.account_urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.live),
    path("readyz", health.ready),
]
handler400 = "routekit.errors.bad_request"
handler403 = "routekit.errors.forbidden"
handler404 = "routekit.errors.not_found"
handler500 = "routekit.errors.server_error"
