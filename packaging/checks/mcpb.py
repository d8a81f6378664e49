"""The .mcpb bundle: validated and packed by its command line, unpacked again, and started as Claude Desktop does."""

import json

from support import Api, ROOT, Session, TOOLS, build, run, scratch, stripped

folder = scratch()
[bundle] = build(folder, "mcpb", "--binary", stripped(folder))
cli = TOOLS / "node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
unpacked = folder / "unpacked"
run(["node", cli, "unpack", bundle, unpacked])
home = folder / "home"
manifest = json.loads((unpacked / "manifest.json").read_text())
assert manifest["compatibility"]["platforms"] == ["linux"], manifest["compatibility"]
assert (unpacked / manifest["server"]["entry_point"]).stat().st_mode & 0o111, "the binary lost its mode"

# The newest version of the format that the command line validates. Its schema named "latest" is one behind.
schemas = (TOOLS / "node_modules/@anthropic-ai/mcpb/schemas").glob("mcpb-manifest-v*.schema.json")
newest = max((path.name.split("-v")[1].removesuffix(".schema.json") for path in schemas), key=float)
assert manifest["manifest_version"] == newest, f"the newest version of the format is {newest}"


def start(user_config, **variables):
    """A session with what the user has entered; nothing else reaches the server."""
    printed = run(["node", ROOT / "packaging/checks/mcp_config.mjs", unpacked, json.dumps(user_config)])
    config = json.loads(printed)
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), **config["env"], **variables}
    return Session([config["command"], *config["args"]], environment), config["env"]


# Everything left blank: the optional fields arrive as they stand in the manifest.
session, environment = start({})
assert environment["POLYTOMIC_API_KEY"] == "${user_config.api_key}", environment
assert environment["POLYTOMIC_PROFILE"] == "${user_config.profile}", environment
names = session.tools()
assert names == [tool["name"] for tool in manifest["tools"]], names
error, is_error = session.call("get_identity", {})
assert is_error and error["code"] == "not_configured", error
log = session.close()
assert "POLYTOMIC_API_KEY" in log and "POLYTOMIC_PROFILE" in log, f"no warning about the blank fields: {log}"

# Blank fields as empty text.
session, environment = start({"api_key": "", "profile": ""})
assert environment["POLYTOMIC_API_KEY"] == "", environment
error, is_error = session.call("get_identity", {})
assert is_error and error["code"] == "not_configured", error
session.close()

# The switch for the sandbox, without a key.
session, _ = start({"sandbox": True})
result, is_error = session.call("list_connections", {})
assert not is_error and result["connections"], result
assert "create_model" in session.tools()
session.close()

# Both switches.
session, _ = start({"sandbox": True, "read_only": True})
assert "create_model" not in session.tools() and "list_models" in session.tools()
session.close()

# A key, sent to the API.
api = Api()
session, _ = start({"api_key": "key-of-the-user"}, POLYTOMIC_BASE_URL=api.url)
error, is_error = session.call("get_identity", {})
assert is_error and error["code"] == "unauthorized", error
assert set(api.keys) == {"Bearer key-of-the-user"}, api.keys
session.close()

# A profile, which the switches do not override as long as nobody has touched them.
(home / "polytomic-mcp").mkdir(parents=True)
(home / "polytomic-mcp/config.toml").write_text("[profiles.try]\nsandbox = true\nread_only = true\n")
session, _ = start({"profile": "try"})
assert "create_model" not in session.tools(), "a read-only profile is overridden"
_, is_error = session.call("list_connections", {})
assert not is_error, "a profile for the sandbox is overridden"
session.close()
print("ok")
