"""Migrates a fresh database and makes a user, a token and one config: prints the token and the model id."""

from __future__ import annotations

import os
import sys

import django


def main(vendor: str, base_url: str, key: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "routekit.settings"
    django.setup()
    from django.core.management import call_command

    from llmconfig.llm import Secret
    from llmconfig.services import create_config
    from llmconfig.tenancy.accounts import create_api_token, create_user_with_organization
    from llmconfig.tenancy.caller import caller_for

    call_command("migrate", verbosity=0)
    user = create_user_with_organization(username="bench", password="bench-password-1")
    caller = caller_for(user)
    models = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-5.1"}
    config = create_config(
        caller=caller, provider_type=vendor, api_key=Secret(key), base_url=base_url, model=models[vendor], is_default=True, name="bench"
    )
    _, token = create_api_token(user=user, organization=caller.organization, name="bench")
    print(token, f"{config.id}/{models[vendor]}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
