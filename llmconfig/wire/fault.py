"""What a provider says went wrong, read from a body of any shape and cleaned of anything that looks like a key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, cast

from llmconfig.wire.decoding import objects, optional_object, storable, text_of

MAX_MESSAGE: Final = 500
_MAX_BODY: Final = 64 * 1024
_MAX_LINE: Final = 4000
_KEY: Final = "[key]"

# Longer runs only: a model's name has hyphens, a request id is shorter. The rest are the vendors' own prefixes and labels.
# Each is tried at the beginning of a word or run alone and goes over it a bounded number of times: a hostile line costs little.
_SECRETS: Final[tuple[re.Pattern[str], ...]] = (
    re.compile(r"(?i)\bbearer\s+[^\s\"',;]+"),
    re.compile(r"(?i)\bbasic\s+[A-Z0-9+/]{12,}={0,2}"),
    re.compile(r"(?i)\b(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx|csk|fw|r8)[-_][\w*.~+/=%\\\-]{4,}"),
    re.compile(r"\bAIza[\w\-]{8,}"),
    re.compile(r"\b(?:ya29|AQ)\.[\w\-.]{8,}"),  # Google's access tokens and newer keys
    re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\w+/=\s\\]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"),
    re.compile(r"\beyJ[\w\-]{8,}(?:\.[\w\-]+)*"),
    re.compile(r"(?<![A-Za-z0-9+/_])(?=[A-Za-z+/_]*[0-9])(?=[0-9+/_]*[A-Za-z])[A-Za-z0-9+/_]{32,}[\w*.~+/=%\\\-]*"),
)
_LABELLED: Final = re.compile(
    r"(?i)((?:api[ _-]?key|access[ _-]?token|(?:\b|(?:refresh|id|auth|session)_)token(?==)|authorization|password|secret|[?&]key)"
    r"(?:\s+provided)?[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}\[]{4,}"
)
_SPANS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s?(ms|[smh])")
_WAIT: Final = re.compile(r"(?i)\b(?:try again|retry) (?:in|after) ((?:\d{1,9}(?:\.\d{1,9})?\s?(?:ms|s|m|h)[a-z]{0,6}\s?){1,3})")
_LOGIN: Final = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,15}://)[^\s/?#\"'<>]+@")


@dataclass(frozen=True, slots=True)
class Fault:
    """message: for people, scrubbed and cut. codes: every code and type the body names, the most specific first.

    retry_after: seconds, where the body itself says so: in Google's RetryInfo, or in words, which is all that an error within a stream has.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    retry_after: float | None = None

    @classmethod
    def of(cls, value: object) -> Fault:
        """From the error object of a vendor, however it is nested."""
        if isinstance(value, list):
            value = next(iter(objects(cast("object", value))), None)  # Google puts a whole list around it
        if isinstance(value, str):
            return cls(clean(value))
        outer = optional_object(value)
        error = optional_object(outer.get("error"))
        if not error:
            said = (_sentence(outer.get(name)) for name in ("message", "error", "detail", "errors", "msg", "title"))
            message = next(filter(None, said), "")
            return cls(clean(message), _codes(outer), _spoken_delay(message))
        behind, details = _behind(error), objects(error.get("details"))
        message = ": ".join(filter(None, (_sentence(error.get("message")), behind.message)))
        return cls(
            clean(message),
            (*behind.codes, *_google_codes(details), *_codes(error), *_codes(outer)),
            behind.retry_after or _google_delay(details) or _spoken_delay(message),
        )


def read_fault(body: bytes) -> Fault:
    """From a whole HTTP body: JSON of any vendor's shape, plain text, HTML or broken JSON (which tell people nothing) or nothing."""
    text = body[:_MAX_BODY].decode("utf-8", "replace").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Fault() if text.startswith(("<", "{", "[")) else Fault(clean(text))
    return Fault.of(value)


def clean(text: str) -> str:
    """One line, without keys, of at most 500 characters. Scrubbed before it is cut, or half a key could be left at the end."""
    line = " ".join(str(storable(text[:_MAX_BODY])).split())
    if len(line) > _MAX_LINE:  # the last word may be cut in two
        line = line[:_MAX_LINE].rpartition(" ")[0]
    line = _LOGIN.sub(rf"\1{_KEY}@", line)
    for pattern in _SECRETS:
        line = pattern.sub(_KEY, line)
    line = _LABELLED.sub(rf"\1{_KEY}", line)  # last: it would take the word “Bearer” for the secret
    return line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 1]}…"


def _codes(error: dict[str, object]) -> tuple[str, ...]:
    details = optional_object(error.get("details"))
    inner = optional_object(error.get("innererror"))
    found = (details.get("error_code"), inner.get("code"), error.get("code"), error.get("type"), error.get("status"))
    return tuple(str(code) for code in found if isinstance(code, (str, int)) and code)


def _behind(error: dict[str, object]) -> Fault:
    """What the provider behind a gateway said, as OpenRouter passes it on: its own message is no more than “Provider returned error”."""
    raw = optional_object(error.get("metadata")).get("raw")
    return read_fault(raw.encode("utf-8", "replace")) if isinstance(raw, str) else Fault()


def _google_codes(details: list[dict[str, object]]) -> tuple[str, ...]:
    """Quotas that were exceeded, and the reason, from Google's `google.rpc` details: more exact than the status they come with."""
    quotas = [text_of(violation.get("quotaId")) for detail in details for violation in objects(detail.get("violations"))]
    reasons = [text_of(detail.get("reason")) for detail in details]
    return tuple(filter(None, (*quotas, *reasons)))


def _google_delay(details: list[dict[str, object]]) -> float | None:
    """Seconds, from a `RetryInfo` such as `{"retryDelay": "34.07s"}`."""
    delays = (re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text_of(detail.get("retryDelay"))) for detail in details)
    return next((float(found[1]) for found in delays if found), None)


def _spoken_delay(message: str) -> float | None:
    """Seconds, from words such as `Please try again in 1m2.5s` (OpenAI, Groq) or `Please retry after 26 seconds` (Azure)."""
    found = _WAIT.search(message[:_MAX_LINE])
    return sum(float(number) * _SPANS[unit] for number, unit in _SPAN.findall(found[1].lower())) if found else None


def _sentence(message: object) -> str:
    """The message itself; validation servers send a list of `{"msg": …}` instead, Mistral within an object, Cloudflare one of messages."""
    if isinstance(message, dict):
        message = optional_object(cast("object", message)).get("detail")
    if isinstance(message, list):
        return "; ".join(
            filter(None, (text_of(item.get("msg")) or text_of(item.get("message")) for item in objects(cast("object", message))))
        )
    return text_of(message)
