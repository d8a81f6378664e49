"""server.json: valid against the schema of the MCP registry and its rules, as it is and with the bundles of a release."""

import json
import shutil
import subprocess

from support import ROOT, TOOLS, VERSION, build, scratch

folder = scratch()


def lint(entry, name):
    """Lints it beside the package.json that it describes; returns status and output."""
    place = folder / name
    place.mkdir()
    (place / "server.json").write_text(json.dumps(entry))
    shutil.copy(ROOT / "packaging/npm/package.json", place)
    command = [TOOLS / "bin/skillsaw", "lint", "--strict", "--type", "mcp-registry", place]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


entry = json.loads((ROOT / "packaging/server.json").read_text())
status, output = lint(entry, "source")
assert status == 0, output

# With a bundle, whose hash the registry requires.
(folder / "binary").write_text("not run here")
[_, released] = build(folder / "out", "mcpb", "server-json", "--binary", folder / "binary")
released = json.loads(released.read_text())
bundle = released["packages"][1]
assert bundle["registryType"] == "mcpb" and len(bundle["fileSha256"]) == 64 and VERSION in bundle["identifier"], bundle
status, output = lint(released, "released")
assert status == 0, output

# The linter does look: each of these it has to find.
wrong = [entry | {"version": "latest"}, entry | {"description": "long " * 30}, entry | {"name": "no-namespace"},
         {key: value for key, value in entry.items() if key != "description"}]
for number, bad in enumerate(wrong):
    status, output = lint(bad, f"wrong-{number}")
    assert status != 0, f"not found: {bad}\n{output}"
print("ok")
