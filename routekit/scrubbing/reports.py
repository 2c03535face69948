"""Django's error reports (the page of DEBUG, mails to ADMINS): the values of telling names are left out, and the whole is masked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from routekit.scrubbing import mask

if TYPE_CHECKING:
    from types import FrameType

    from django.http import HttpRequest

_TELLING = re.compile(
    r"API|AUTH|TOKEN|KEY|KEK|SECRET|PASS|SIGNATURE|COOKIE|CREDENTIAL|SESSION|CSRF|HEADERS|_URL$|DSN|PLAINTEXT|REVEALED", re.IGNORECASE
)
"""Settings, headers, parameters, and the names of local variables. Addresses may hold a password."""


class ReporterFilter(SafeExceptionReporterFilter):
    """Active with DEBUG, too: a page in a developer's browser ends in tickets and screenshots."""

    hidden_settings = _TELLING

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Names alone; what people enter is theirs."""
        given = {} if request is None else super().get_post_parameters(request)
        return dict.fromkeys(given, self.cleansed_substitute)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        shown = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, self.cleansed_substitute if _TELLING.search(name) else value) for name, value in shown]


class Reporter(ExceptionReporter):
    """What it writes is masked as a whole: values under harmless names, the words of exceptions, the lines of sources."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(mask(super().get_traceback_html()))  # nosec B703  # escaped already, and a mask is no markup

    def get_traceback_text(self) -> SafeString:
        return SafeString(mask(super().get_traceback_text()))  # nosec B703
