"""A JSON-RPC client library over HTTP, and a WebSocket client, against `polytomic-mcp rpc --listen`."""

import asyncio
import json
import os

import requests
import websockets
from jsonrpcclient import Error, Ok, notification, parse, request

URL = os.environ["RPC_URL"]
CONNECTION = "248df4b7-aa70-47b8-a036-33ac447e668d"


def step(name):
    print("ok", name)


def over_http():
    def call(method, **params):
        return parse(requests.post(URL, json=request(method, params=params or None), timeout=20).json())

    found = call("list_connections")
    assert isinstance(found, Ok) and found.result["connections"][0]["id"] == CONNECTION, found
    step("http call")

    refused = call("get_model", model_id="nonsense")
    assert isinstance(refused, Error) and refused.code == -32602, refused
    assert refused.data["details"]["argument"] == "model_id", refused
    step("http arguments refused")

    unknown = call("get_modle")
    assert isinstance(unknown, Error) and unknown.code == -32601 and "get_model" in unknown.message
    step("http unknown method")

    batch = [request("list_models"), notification("list_models"), request("get_modle")]
    responses = list(parse(requests.post(URL, json=batch, timeout=20).json()))
    assert len(responses) == 2, responses
    assert {type(response) for response in responses} == {Ok, Error}, responses
    step("http batch")

    response = requests.post(URL, json=notification("list_models"), timeout=20)
    assert response.ok and response.content == b"", response.content
    step("http notification")

    created = call(
        "create_model", connection_id=CONNECTION, name="Users", configuration={"table": "public.users"}
    )
    assert isinstance(created, Ok) and created.result["job"]["status"] == "done", created
    deleted = call(
        "delete_model", model_id=created.result["model"]["id"], expected_name="Users"
    )
    assert deleted.result["deleted"] is True, deleted
    step("http main job")


async def over_websocket():
    async with websockets.connect(URL.replace("http://", "ws://")) as socket:
        async def call(message):
            await socket.send(json.dumps(message))
            return json.loads(await asyncio.wait_for(socket.recv(), 20))

        response = await call(request("list_connections"))
        assert response["result"]["connections"][0]["id"] == CONNECTION, response
        step("websocket call")

        response = await call({"jsonrpc": "2.0", "id": "a", "method": "get_modle"})
        assert response["error"]["code"] == -32601 and "get_model" in response["error"]["message"], response
        step("websocket unknown method")

        await socket.send(json.dumps(notification("list_models")))
        response = await call([request("list_models"), request("list_connections")])
        assert isinstance(response, list) and len(response) == 2, response
        step("websocket batch behind a notification")

        discovered = await call(request("rpc.discover"))
        assert discovered["result"]["openrpc"].startswith("1.3"), discovered
        step("websocket discover")

    try:
        async with websockets.connect(URL.replace("http://", "ws://"), origin="https://evil.example.com"):
            raise AssertionError("a foreign origin was let in")
    except websockets.exceptions.InvalidStatus as error:
        assert error.response.status_code == 403, error
    step("websocket foreign origin refused")


over_http()
asyncio.run(over_websocket())
