"""Deletes a model with the official Python client of MCP: the user declines, then accepts, in the eras that it speaks.

    pip install mcp
    PROGRAM=target/debug/polytomic-mcp python tests/compat/confirmed_delete.py

One line a step; the exit status is 1 when one fails.
"""

import asyncio
import json
import os
from contextlib import asynccontextmanager
from importlib.metadata import version

from mcp import StdioServerParameters

SERVER = StdioServerParameters(command=os.environ["PROGRAM"], args=["--sandbox"])
MODEL = {
    "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
    "name": "Users",
    "configuration": {"table": "public.users"},
}
IS_FIRST_GENERATION = version("mcp").startswith("1.")

if IS_FIRST_GENERATION:
    from mcp import ClientSession
    from mcp.client.stdio import stdio_client
    from mcp.types import ElicitResult

    ERAS = ["initialize"]

    @asynccontextmanager
    async def connect(era, callback):
        async with stdio_client(SERVER) as streams:
            async with ClientSession(*streams, elicitation_callback=callback) as session:
                await session.initialize()
                yield session

else:
    from mcp import Client
    from mcp_types import ElicitResult

    ERAS = ["legacy", "2026-07-28", "auto"]

    @asynccontextmanager
    async def connect(era, callback):
        async with Client(SERVER, mode=era, elicitation_callback=callback) as client:
            yield client


def text_of(result):
    is_error = result.isError if IS_FIRST_GENERATION else result.is_error
    return bool(is_error), json.loads(result.content[0].text)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")


async def run(era):
    decisions, messages = [], []

    async def decision(context, params):
        messages.append(params.message)
        return decisions.pop(0)

    async with connect(era, decision) as client:

        async def call(tool, **arguments):
            return text_of(await client.call_tool(tool, arguments))

        _, created = await call("create_model", **MODEL)
        model_id = created["model"]["id"]

        decisions.append(ElicitResult(action="decline"))
        is_error, error = await call("delete_model", model_id=model_id)
        equal((is_error, error["code"], error["outcome"]), (True, "cancelled", "not_sent"))
        is_error, _ = await call("get_model", model_id=model_id)
        equal(is_error, False)
        print(f"{era}: declined, and the model is there")

        decisions.append(ElicitResult(action="accept", content={"confirm": True}))
        is_error, deleted = await call("delete_model", model_id=model_id)
        equal((is_error, deleted["deleted"]), (False, True))
        is_error, error = await call("get_model", model_id=model_id)
        equal((is_error, error["code"]), (True, "not_found"))
        equal((len(messages), decisions), (2, []))
        assert all('"Users"' in message for message in messages), messages
        print(f"{era}: accepted, and the model is deleted")

    async with connect(era, None) as client:
        _, created = text_of(await client.call_tool("create_model", MODEL))
        arguments = {"model_id": created["model"]["id"]}
        is_error, error = text_of(await client.call_tool("delete_model", arguments))
        equal((is_error, error["code"]), (True, "confirmation_required"))
        arguments["expected_name"] = error["details"]["name"]
        is_error, deleted = text_of(await client.call_tool("delete_model", arguments))
        equal((is_error, deleted["deleted"]), (False, True))
        print(f"{era}: without a handler, the name stands for the decision")


for era in ERAS:
    asyncio.run(run(era))
