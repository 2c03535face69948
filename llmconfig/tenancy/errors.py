"""What a service refuses, apart from HTTP. Each has a code for programs and a detail for people; `rest.errors` gives it its status.

ServiceError
├── Invalid           a value is not acceptable; `attr` names it (400)
├── BudgetExhausted   a budget forbids it (402)
├── Forbidden         the caller's role or scope does not allow it (403)
├── NotFound          not there, or not the caller's to see (404)
├── Conflict          the state of things does not allow it now (409)
├── TooLarge          more bytes than are taken (413)
└── Unavailable       Valkey, the database or a storage is away; `retry_after` in seconds (503)
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    status: ClassVar[int] = 400
    default_code: ClassVar[str] = "invalid"

    def __init__(self, detail: str, *, code: str = "", attr: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.code, self.attr = detail, code or self.default_code, attr


class Invalid(ServiceError):
    pass


class BudgetExhausted(ServiceError):
    status = 402
    default_code = "budget_exhausted"


class Forbidden(ServiceError):
    status = 403
    default_code = "permission_denied"


class NotFound(ServiceError):
    status = 404
    default_code = "not_found"


class Conflict(ServiceError):
    status = 409
    default_code = "conflict"


class TooLarge(ServiceError):
    status = 413
    default_code = "too_large"


class Unavailable(ServiceError):
    status = 503
    default_code = "unavailable"

    def __init__(self, detail: str = "The service is temporarily unavailable. Try again in a moment.", *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
