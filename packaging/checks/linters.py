"""Workflows, Dockerfile and the dependencies' licences, by their linters."""

import os

from support import ROOT, TOOLS, run

bin = TOOLS / "bin"
run([bin / "actionlint", *sorted((ROOT / ".github/workflows").glob("*.yml"))], cwd=ROOT)
run([bin / "hadolint", ROOT / "packaging/image/Dockerfile"])
# Advisories need their database from the network: .github/workflows/ci.yml checks those.
offline = ["--offline"] if os.environ.get("CARGO_NET_OFFLINE") else []
run([bin / "cargo-deny", *offline, "--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"], cwd=ROOT)
print("ok")
