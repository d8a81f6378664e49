"""What the checks share: building a package, an MCP client over stdio, an API that notes what it is sent.

PROGRAM is the binary to package, TOOLS the folder of packaging/install; tests/it/packaging/built.rs sets both.
"""

import atexit
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ["PROGRAM"])
TOOLS = pathlib.Path(os.environ["TOOLS"])
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
VERSION = CARGO["version"]
TIMEOUT_SECONDS = 300  # far more than anything takes, also on a busy machine


def scratch():
    """A folder that is removed at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="polytomic-mcp-packages-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def stripped(folder):
    """The binary without its symbols, which are most of a debug build."""
    binary = folder / "polytomic-mcp"
    shutil.copy(PROGRAM, binary)
    subprocess.run(["strip", binary], check=False, capture_output=True)
    return binary


def run(command, **options):
    """Runs a command that has to succeed, and returns its stdout."""
    options = {"capture_output": True, "text": True, "timeout": TIMEOUT_SECONDS} | options
    result = subprocess.run([str(part) for part in command], check=False, **options)
    if result.returncode != 0:
        sys.exit(f"{command}: status {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout


def build(out, *arguments):
    """Runs packaging/build; returns the paths of the packages."""
    # The tools are below target/, wherever that is.
    environment = os.environ | {"CARGO_TARGET_DIR": str(TOOLS.parent)}
    command = [sys.executable, ROOT / "packaging/build", *arguments, "--out", out]
    return [pathlib.Path(line) for line in run(command, env=environment).splitlines()]


class Session:
    """An MCP session with a server over its standard streams."""

    def __init__(self, command, environment, **options):
        options = {"stderr": subprocess.PIPE, "text": True} | options
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        # A server that hangs fails the check instead of hanging it.
        self.timer = threading.Timer(TIMEOUT_SECONDS, self.process.kill)
        self.timer.daemon = True
        self.timer.start()
        atexit.register(self.process.kill)
        self.last_id = 0
        self.server = self.request("initialize", {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "packaging", "version": "0"}})["serverInfo"]
        assert self.server["version"] == VERSION, self.server
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def request(self, method, params):
        self.last_id += 1
        self.send({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == self.last_id:
                assert "result" in message, message
                return message["result"]
        sys.exit(f"the server ended before it responded to {method}: {self.process.stderr.read()}")

    def tools(self):
        return [tool["name"] for tool in self.request("tools/list", {})["tools"]]

    def call(self, tool, arguments):
        """The result of a tool, and whether it is an error."""
        result = self.request("tools/call", {"name": tool, "arguments": arguments})
        return json.loads(result["content"][0]["text"]), result.get("isError", False)

    def close(self):
        """Ends the session as a client does; returns what the server logged."""
        self.process.stdin.close()
        status = self.process.wait(TIMEOUT_SECONDS)
        self.timer.cancel()
        log = self.process.stderr.read()
        assert status == 0, f"status {status}\n{log}"
        return log


class Api(http.server.ThreadingHTTPServer):
    """Rejects every key, and notes it."""

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys = []
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.port = self.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.keys.append(self.headers.get("Authorization"))
        body = b'{"message": "unauthorized"}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
