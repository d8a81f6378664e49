"""The archive: what cargo-binstall looks for, completions that the shell accepts, the man page, and checksums."""

import shutil
import tarfile

from support import CARGO, ROOT, VERSION, build, run, scratch, stripped

folder = scratch()
out = folder / "out"
[path, sums] = build(out, "archive", "checksums", "--binary", stripped(folder))
run(["sha256sum", "--check", "--strict", sums.name], cwd=out)
with tarfile.open(path) as archive:
    archive.extractall(folder, filter="data")

# The placeholders that cargo-binstall fills in.
target = path.name.removeprefix(f"polytomic-mcp-{VERSION}-").removesuffix(".tar.gz")
values = {"repo": CARGO["repository"], "version": VERSION, "name": "polytomic-mcp", "target": target,
          "archive-suffix": ".tar.gz", "bin": "polytomic-mcp", "binary-ext": ""}
metadata = CARGO["metadata"]["binstall"]


def filled(template):
    for name, value in values.items():
        template = template.replace("{ " + name + " }", value)
    assert "{" not in template, template
    return template


assert filled(metadata["pkg-url"]).endswith(f"/v{VERSION}/{path.name}"), filled(metadata["pkg-url"])
binary = folder / filled(metadata["bin-dir"])
assert run([binary, "--version"]) == f"polytomic-mcp {VERSION}\n"

contents = binary.parent
for name in ["LICENSE", "README.md", "CHANGELOG.md"]:
    assert (contents / name).read_bytes() == (ROOT / name).read_bytes(), name
assert (contents / "man/polytomic-mcp.1").stat().st_size > 1000
completions = {"bash": "polytomic-mcp.bash", "zsh": "_polytomic-mcp", "fish": "polytomic-mcp.fish"}
for shell, name in completions.items():
    file = contents / "completions" / name
    assert "read-only" in file.read_text(), name
    if shutil.which(shell):
        run([shell, "-n", file])
    else:
        print(f"skipped: there is no {shell} for its completions")
print("ok")
