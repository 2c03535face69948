"""A model field that stores a sealed value and never opens it.

Reading the attribute gives a `Sealed`: the opaque text, masked in repr and str. Opening takes the organization's data key
and the row's context, which is a service's business (`llmconfig.tenancy.keys`), so neither a template, an admin page nor
`dumpdata` can show more than ciphertext.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Expression


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext of `llmconfig.vault`, or nothing (falsy)."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)

    def __repr__(self) -> str:
        return "Sealed(••••)" if self.text else "Sealed()"

    __str__ = __repr__


class SealedField(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """Stores what `vault.seal` returned. Plain text is refused on assignment to the database, and the admin shows no input for it."""

    description = "A sealed value"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, expression: Expression, connection: BaseDatabaseWrapper) -> Sealed:
        return Sealed(value or "")

    def to_python(self, value: Any) -> Sealed:
        if isinstance(value, Sealed):
            return value
        if value in (None, ""):
            return Sealed()
        if isinstance(value, str) and value.startswith("v1."):
            return Sealed(value)
        raise ValidationError("Only a sealed value can be stored here.", code="not_sealed")

    def get_prep_value(self, value: Any) -> str:
        return self.to_python(value).text

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))

    def get_lookup(self, lookup: str) -> Any:
        """A ciphertext differs each time; only "is it empty" and "which key sealed it" can be asked."""
        return super().get_lookup(lookup) if lookup in {"exact", "in", "isnull", "sealed_with"} else None


@SealedField.register_lookup
class SealedWith(models.Lookup):
    """`field__sealed_with=key_id`: the values that a data key sealed."""

    lookup_name = "sealed_with"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        escaped = str(self.rhs).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        return f"{column} LIKE %s ESCAPE '\\'", (*parameters, f"v1.{escaped}.%")
