"""Conversations, runs, services and attachments as rows."""

from agent.models.attachment import Attachment
from agent.models.conversation import Conversation, Message
from agent.models.run import Attempt, Run, Step, ToolCall
from agent.models.service import Service, ServiceTool, ToolGrant

__all__ = ["Attachment", "Attempt", "Conversation", "Message", "Run", "Service", "ServiceTool", "Step", "ToolCall", "ToolGrant"]
