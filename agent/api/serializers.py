"""Request bodies and answers of conversations, messages, attachments and runs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agent.models import Attachment, Conversation
from llmconfig.llm import EFFORTS
from llmconfig.tenancy.rest.serializers import StrictSerializer

HISTORY_POLICIES = Conversation.HistoryPolicy.values
_HISTORY = "When the conversation is longer than its model reads: leave out the oldest, or refuse to answer"


class TargetSerializer(StrictSerializer):
    """Where a conversation's messages go: one model."""

    model = serializers.CharField(max_length=250, help_text="`<config id>/<model>`, an id of /api/models")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A partial change of a conversation is none of its target, which is whole or null."""
        if "model" not in attrs:
            raise serializers.ValidationError({"model": [serializers.ErrorDetail("This field is required.", "required")]})
        return attrs


class ReasoningSerializer(StrictSerializer):
    """How much the model may think before it answers: one of the two. A model that does not think takes no notice."""

    effort = serializers.ChoiceField(choices=EFFORTS, required=False, help_text="A word that the model does not know means the nearest")
    budget_tokens = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False, help_text="0: none at all")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either effort or budget_tokens.", code="invalid")
        return attrs


class ConversationInput(StrictSerializer):
    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    system_prompt = serializers.CharField(max_length=100_000, required=False, allow_blank=True, trim_whitespace=False)
    target = TargetSerializer(required=False, allow_null=True)
    services = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=100, help_text="Left out or null: all enabled ones"
    )
    reasoning = ReasoningSerializer(required=False, allow_null=True, help_text="Null: as config and model have it")
    history_policy = serializers.ChoiceField(choices=HISTORY_POLICIES, required=False, help_text=_HISTORY)


class RunBrief(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.CharField()


class ConversationOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()
    system_prompt = serializers.CharField()
    target = TargetSerializer(allow_null=True)
    services = serializers.ListField(child=serializers.UUIDField(), allow_null=True)
    reasoning = ReasoningSerializer(allow_null=True)
    history_policy = serializers.ChoiceField(choices=HISTORY_POLICIES, help_text=_HISTORY)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    active_run = RunBrief(allow_null=True)
    last_run = RunBrief(allow_null=True)


MEDIA_KINDS = Attachment.Kind.values


class PartInput(StrictSerializer):
    """A part of a user's message: text, or a medium as the id of an attachment or inline as base64."""

    type = serializers.ChoiceField(choices=["text", *MEDIA_KINDS])
    text = serializers.CharField(trim_whitespace=False, allow_blank=True, required=False, help_text="Of a text part")
    attachment = serializers.UUIDField(required=False, help_text="An id of /api/attachments")
    data = serializers.CharField(  # type: ignore[assignment]  # the part's field, not the serializer's
        required=False, trim_whitespace=False, help_text="Base64, instead of `attachment`; becomes an attachment"
    )
    media_type = serializers.CharField(required=False, max_length=100, help_text="Of `data`; what the bytes are is looked at anyway")
    name = serializers.CharField(required=False, max_length=255, help_text="Of `data`: how the file is called")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = set(attrs) - {"type"}
        if attrs["type"] == "text":
            allowed, needed = {"text"}, {"text"}
        elif "attachment" in attrs:
            allowed, needed = {"attachment"}, set[str]()
        else:
            allowed, needed = {"data", "media_type", "name"}, {"data", "media_type"}
        errors = {
            name: [serializers.ErrorDetail(f"This does not belong to {_WHAT[attrs['type']]}.", "invalid")] for name in given - allowed
        }
        errors |= {name: [serializers.ErrorDetail("This field is required.", "required")] for name in needed - given}
        if needed == {"data", "media_type"} and not given:
            errors = {"attachment": [serializers.ErrorDetail("Name an attachment, or give data and media_type.", "required")]}
        if errors:
            raise serializers.ValidationError(errors)
        return attrs


_WHAT = {
    "text": "a text part",
    "image": "such an image part",
    "document": "such a document part",
    "audio": "such an audio part",
    "video": "such a video part",
}


class MessageInput(StrictSerializer):
    content = serializers.CharField(required=False, trim_whitespace=False)
    parts = PartInput(many=True, required=False, allow_empty=False, max_length=100)  # type: ignore[call-arg]
    target = TargetSerializer(required=False, allow_null=True)
    reasoning = ReasoningSerializer(required=False, allow_null=True, help_text="For this run alone. Left out: as the conversation has it")
    output_schema = serializers.DictField(
        required=False, allow_null=True, help_text="JSON Schema (draft 2020-12) of an object: the final answer's text is an instance of it"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("content" in attrs) == ("parts" in attrs):
            raise serializers.ValidationError("Give either content or parts.", code="invalid")
        attrs["parts"] = attrs.get("parts") or [{"type": "text", "text": attrs.pop("content")}]
        if not any(part["type"] != "text" or part["text"].strip() for part in attrs["parts"]):
            raise serializers.ValidationError({"content": ["The message is empty."]}, code="blank")
        return attrs


class AttachmentInput(StrictSerializer):
    file = serializers.FileField(allow_empty_file=True, max_length=255)
    name = serializers.CharField(required=False, max_length=255, help_text="How it is shown; the file's own name by default")


class AttachmentOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    media_type = serializers.CharField(help_text="Told from the bytes")
    kind = serializers.ChoiceField(choices=MEDIA_KINDS)
    size = serializers.IntegerField(help_text="Bytes")
    width = serializers.IntegerField(allow_null=True, help_text="Pixels of an image")
    height = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    url = serializers.CharField(help_text="Where its bytes are")


class MessageOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=["user", "assistant", "tool"])
    parts = serializers.ListField(child=serializers.DictField())
    model = serializers.CharField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=["stop", "tool_calls", "length", "content_filter", "refusal", "other"], allow_null=True)
    finish_raw = serializers.CharField(allow_null=True, help_text="The provider's own word for it")
    created_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=["completed", "partial"])
    run = serializers.UUIDField(allow_null=True)


class PostedOutput(serializers.Serializer[Any]):
    message = MessageOutput()
    run = RunBrief()


class UsageOutput(serializers.Serializer[Any]):
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cache_read_tokens = serializers.IntegerField(allow_null=True)
    cache_write_tokens = serializers.IntegerField(allow_null=True)
    reasoning_tokens = serializers.IntegerField(allow_null=True)


class AttemptOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    config = serializers.UUIDField(allow_null=True)
    provider = serializers.CharField()
    model = serializers.CharField()
    status = serializers.CharField()
    error_kind = serializers.CharField(allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)
    ttft_ms = serializers.IntegerField(allow_null=True)
    usage = UsageOutput()
    cost = serializers.CharField(allow_null=True, help_text="A decimal; null is unknown")
    currency = serializers.CharField()
    evidence = serializers.ChoiceField(choices=["measured", "estimated", "unknown"])


class ToolCallOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    service = serializers.CharField(allow_null=True)
    arguments = serializers.DictField()
    status = serializers.CharField()
    is_error = serializers.BooleanField(allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)
    definition_hash = serializers.CharField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class StepOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    attempts = AttemptOutput(many=True)
    tool_calls = ToolCallOutput(many=True)


class ErrorOutput(serializers.Serializer[Any]):
    kind = serializers.CharField()
    detail = serializers.CharField()


class RunOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    conversation = serializers.UUIDField(allow_null=True, help_text="Null once it was deleted")
    status = serializers.ChoiceField(choices=["queued", "running", "waiting_approval", "completed", "failed", "cancelled"])
    finish_reason = serializers.CharField(allow_null=True)
    reasoning = ReasoningSerializer(allow_null=True)
    output_schema = serializers.DictField(allow_null=True)
    error = ErrorOutput(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    steps = StepOutput(many=True)
    usage = UsageOutput()
    cost = serializers.CharField(allow_null=True)
    currency = serializers.CharField()


class ApproveInput(StrictSerializer):
    remember = serializers.ChoiceField(choices=["run", "always"], required=False, allow_null=True)


class DenyInput(StrictSerializer):
    remember = serializers.ChoiceField(choices=["run", "always"], required=False, allow_null=True)


class ResolveInput(StrictSerializer):
    outcome = serializers.ChoiceField(choices=["ran", "run_again", "skip"])
