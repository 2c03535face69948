"""Admin screens: people, organizations and configs. No screen shows a key, a digest or a ciphertext."""

from llmconfig.admin import configs, custom_models, people

__all__ = ["configs", "custom_models", "people"]
