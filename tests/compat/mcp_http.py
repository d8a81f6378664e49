"""Works with the server over HTTP through the official Python client of MCP, in the eras that it speaks.

The server wants a token, and its API is a sandbox, whose faults make calls slow or repeat them. A second server takes
the API key of each caller. One line a step; the exit status is 1 when one fails.
"""

import asyncio
import json
import os
import urllib.request
from contextlib import asynccontextmanager
from importlib.metadata import version

CONNECTION = "248df4b7-aa70-47b8-a036-33ac447e668d"
MODEL = {"connection_id": CONNECTION, "name": "Üsers", "configuration": {"table": "public.users"}}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
TOKEN = {"Authorization": "Bearer " + os.environ["MCP_TOKEN"]}
IS_FIRST_GENERATION = version("mcp").startswith("1.")

if IS_FIRST_GENERATION:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    ERAS = ["initialize"]

    @asynccontextmanager
    async def connect(era, url, headers, callback=None):
        async with streamablehttp_client(url, headers=headers) as (read, write, _):
            async with ClientSession(read, write, elicitation_callback=callback) as session:
                await session.initialize()
                yield session

else:
    from mcp import Client
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
    from mcp_types import ElicitResult

    ERAS = ["legacy", "2026-07-28", "auto"]

    @asynccontextmanager
    async def connect(era, url, headers, callback=None):
        async with create_mcp_http_client(headers=headers) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=era, elicitation_callback=callback) as client:
                yield client


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")


def add_fault(**rule):
    """Makes the sandbox fail."""
    body = json.dumps(dict(rule, times=1)).encode()
    headers = {"Authorization": "Bearer " + os.environ["SANDBOX_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["SANDBOX_URL"] + "/sandbox/faults", body, headers)
    urllib.request.urlopen(request, timeout=20).close()


async def call(client, tool, arguments, **options):
    result = await client.call_tool(tool, arguments, **options)
    is_error = result.isError if IS_FIRST_GENERATION else result.is_error
    return bool(is_error), json.loads(result.content[0].text)


async def fails(era, headers):
    """Whether the server refuses the client."""
    try:
        async with connect(era, os.environ["MCP_URL"], headers) as client:
            await client.list_tools()
    except Exception:
        return True
    return False


async def run(era):
    async with connect(era, os.environ["MCP_URL"], TOKEN) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        assert "create_model" in tools, tools
        print(f"{era}: tools")

        is_error, created = await call(client, "create_model", MODEL)
        equal((is_error, created["model"]["name"]), (False, MODEL["name"]))
        read = {"model_id": created["model"]["id"]}
        is_error, model = await call(client, "get_model", read)
        equal((is_error, model["model"]["name"]), (False, MODEL["name"]))
        print(f"{era}: a model, created and read")

        is_error, error = await call(client, "get_model", {"model_id": UNKNOWN_ID})
        equal((is_error, error["code"], error["hint"][:16]), (True, "not_found", "Call list_models"))
        print(f"{era}: an error with code and hint")

        reports = []

        async def report(progress, total, message):
            reports.append(message)

        add_fault(operations="get_model", status=503)
        is_error, _ = await call(client, "get_model", read, progress_callback=report)
        equal(is_error, False)
        assert reports and all(reports), reports
        print(f"{era}: progress")

        ended = []

        async def note(label, tool, arguments):
            ended.append((label, await call(client, tool, arguments)))

        add_fault(operations="get_model", delay="2s")
        await asyncio.gather(note("slow", "get_model", read), note("quick", "list_connections", {}))
        equal([(label, is_error) for label, (is_error, _) in ended], [("quick", False), ("slow", False)])
        print(f"{era}: two calls at the same time")
    print(f"{era}: closed")

    for headers in ({}, {"Authorization": "Bearer wrong"}):
        equal(await fails(era, headers), True)
    print(f"{era}: refused without the token")


async def callers(era):
    """Two callers with a key each see the models of their own organization."""
    models = {}
    for name in ("SANDBOX_KEY", "OTHER_KEY"):
        headers = TOKEN | {"X-Polytomic-Api-Key": os.environ[name]}
        async with connect(era, os.environ["MCP_KEYS_URL"], headers) as client:
            if name == "SANDBOX_KEY":
                _, created = await call(client, "create_model", MODEL)
                model_id = created["model"]["id"]
            _, found = await call(client, "list_models", {})
            models[name] = [model["id"] for model in found["models"]]
            is_error, model = await call(client, "get_model", {"model_id": model_id})
            equal((is_error, model.get("code")), (name == "OTHER_KEY", "not_found" if is_error else None))
    assert model_id in models["SANDBOX_KEY"], models
    equal(models["OTHER_KEY"], [])
    async with connect(era, os.environ["MCP_KEYS_URL"], TOKEN) as client:
        is_error, error = await call(client, "list_models", {})
        equal((is_error, error["code"]), (True, "not_configured"))
        assert "X-Polytomic-Api-Key" in json.dumps(error), error
    print(f"{era}: two callers, each with a key")


async def confirmed_delete(era):
    """The user is asked while a model is deleted, which takes a second request in the stateless era."""
    decisions, messages = ["decline", "accept"], []

    async def decide(context, params):
        messages.append(params.message)
        action = decisions.pop(0)
        return ElicitResult(action=action, content={"confirm": True} if action == "accept" else None)

    async with connect(era, os.environ["MCP_URL"], TOKEN, decide) as client:
        _, created = await call(client, "create_model", MODEL)
        named = {"model_id": created["model"]["id"]}
        is_error, error = await call(client, "delete_model", named)
        equal((is_error, error["code"], error["outcome"]), (True, "cancelled", "not_sent"))
        is_error, deleted = await call(client, "delete_model", named)
        equal((is_error, deleted["deleted"], len(messages)), (False, True, 2))
    print(f"{era}: a delete that the user confirms")


for era in ERAS:
    asyncio.run(run(era))
    asyncio.run(callers(era))
if not IS_FIRST_GENERATION:
    asyncio.run(confirmed_delete("2026-07-28"))
