"""Fields that many vendors' forms share, in the same words and with the same bounds."""

from __future__ import annotations

from typing import Final

from llmconfig.llm import EFFORTS, CredentialField


def key_field(hint: str) -> CredentialField:
    return CredentialField("api_key", "API key", required=True, write_only=True, help=hint)


def address_field(default: str, help: str = "Change it only for a gateway.") -> CredentialField:
    return CredentialField("base_url", "Base URL", type="url", default=default, help=help)


def limit_field(help: str = "") -> CredentialField:
    return CredentialField("max_output_tokens", "Longest answer (tokens)", type="integer", minimum=1, help=help)


def temperature_field(more: str = "") -> CredentialField:
    return CredentialField("temperature", "Temperature", type="number", minimum=0, maximum=2, help=f"0 to 2. {more}".strip())


def effort_field(*words: str, help: str = "Empty: the model's own default.") -> CredentialField:
    """For a vendor that knows these words of effort and no budget."""
    return CredentialField("reasoning_effort", "Reasoning effort", choices=words, help=help)


LIMIT: Final = limit_field()
TEMPERATURE: Final = temperature_field()
REASONING: Final = (
    effort_field(*EFFORTS, help="Empty: the model's own default. A word that the model does not know stands for the nearest one."),
    CredentialField(
        "thinking_budget",
        "Thinking budget (tokens)",
        type="integer",
        minimum=0,
        help="In place of an effort. 0 switches thinking off where the model allows it.",
    ),
)
"""How much a model thinks, in either of the two ways; what `llmconfig.wire.reasoning` reads."""
