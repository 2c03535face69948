"""Conversations, runs and services as rows."""

from agent.models.conversation import Conversation, Message
from agent.models.run import Attempt, Run, Step, ToolCall
from agent.models.service import Service, ServiceTool, ToolGrant

__all__ = ["Attempt", "Conversation", "Message", "Run", "Service", "ServiceTool", "Step", "ToolCall", "ToolGrant"]
