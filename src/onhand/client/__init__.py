"""Typed HTTP client of onhand: calls as values, sent by a blocking or an asyncio client."""

from onhand.client.answers import BulkAnswer, Envelope, OnHand, Token
from onhand.client.calls import Call
from onhand.client.failures import (
    CallFailed,
    NotServed,
    OutcomeUnknown,
    RefusedByRules,
    RequestFault,
    ServiceDefect,
)
from onhand.client.transport import AsyncClient, BearerToken, Client, ClientSecret, Credentials

__all__ = [
    "AsyncClient",
    "BearerToken",
    "BulkAnswer",
    "Call",
    "CallFailed",
    "Client",
    "ClientSecret",
    "Credentials",
    "Envelope",
    "NotServed",
    "OnHand",
    "OutcomeUnknown",
    "RefusedByRules",
    "RequestFault",
    "ServiceDefect",
    "Token",
]
