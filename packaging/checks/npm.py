"""The npm packages: installed by npm from a registry on this machine that has the packed files and nothing else."""

import base64
import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import tarfile
import termios
import threading

from support import Session, TIMEOUT_SECONDS, VERSION, build, run, scratch, stripped

folder = scratch()
binary = stripped(folder)
out = folder / "out"
targets = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin",
           "x86_64-pc-windows-msvc"]
[main, ours] = build(out, "npm-main", "npm", "--binary", binary)
# What npm must not select: the others contain nothing that runs.
(folder / "none").write_text("not for this machine")
others = [build(out, "npm", "--binary", folder / "none", "--target", target)[0] for target in targets]
others = [path for path in others if path != ours]
build(out, "npm", "--binary", binary)


def manifest(path):
    with tarfile.open(path) as archive:
        return json.load(archive.extractfile("package/package.json"))


manifests = {path: manifest(path) for path in [main, ours, *others]}
wanted = manifests[main]["optionalDependencies"]
published = {package["name"]: package["version"] for path, package in manifests.items() if path != main}
assert wanted == published, f"{wanted} is not what is built: {published}"


class Registry(http.server.BaseHTTPRequestHandler):
    """What `npm install` asks a registry for: a document for each package, and its file."""

    def do_GET(self):
        name = self.path.strip("/")
        body = None
        if name.startswith("-/"):
            body = (out / pathlib.Path(name).name).read_bytes()
        for path, package in manifests.items():
            if package["name"] == name:
                digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
                dist = {"tarball": f"{url}/-/{path.name}", "integrity": f"sha512-{digest}"}
                body = json.dumps({"name": name, "dist-tags": {"latest": package["version"]},
                                   "versions": {package["version"]: package | {"dist": dist}}}).encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
url = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()

home = folder / "home"
home.mkdir()
environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home),
               "npm_config_registry": url, "npm_config_cache": str(folder / "cache"), "npm_config_update_notifier": "false"}

# As in the configuration of a client.
printed = run(["npx", "-y", f"polytomic-mcp@{VERSION}", "--version"], env=environment, cwd=home)
assert printed == f"polytomic-mcp {VERSION}\n", printed

# As a dependency of a project: only the binary of this platform is installed.
project = folder / "project"
project.mkdir()
run(["npm", "install", "--no-audit", "--no-fund", f"polytomic-mcp@{VERSION}"], env=environment, cwd=project)
installed = sorted(path.name for path in (project / "node_modules").iterdir() if not path.name.startswith("."))
assert installed == ["polytomic-mcp", manifests[ours]["name"]], installed
printed = run(["npx", "--no-install", "polytomic-mcp", "--version"], env=environment, cwd=project)
assert printed == f"polytomic-mcp {VERSION}\n", printed

# The streams and the exit status are those of the binary.
command = project / "node_modules/.bin/polytomic-mcp"
session = Session([command, "--sandbox"], environment)
assert len(session.tools()) > 10
session.close()
status = subprocess.run([command, "--no-such-flag"], env=environment, capture_output=True, text=True)
assert status.returncode == 2 and "no-such-flag" in status.stderr, status

# A signal to the launcher ends both.
session = Session([command, "--sandbox"], environment)
children = pathlib.Path(f"/proc/{session.process.pid}/task/{session.process.pid}/children").read_text().split()
assert len(children) == 1, children
session.process.send_signal(signal.SIGTERM)
session.process.wait(TIMEOUT_SECONDS)
session.timer.cancel()
assert not pathlib.Path(f"/proc/{children[0]}").exists(), "the binary outlives the launcher"

# Each signal reaches the binary once: from a terminal, which sends it to both, and from a program, which sends it to the
# launcher. A script in place of the binary counts, and leaves the count in a file: a terminal that ends may lose what was
# written last.
count = project / "count"
counter = project / "node_modules" / manifests[ours]["name"] / "bin/polytomic-mcp"
kept = counter.read_bytes()
counter.write_text(f"#!/bin/sh\nn=0\ntrap 'n=$((n+1)); echo count $n' INT\ntrap 'echo $n > {count}; exit' TERM\n"
                   "echo ready\nwhile :; do sleep 0.05; done\n")
for has_terminal in [True, False]:
    ours_end, theirs = pty.openpty() if has_terminal else os.pipe()
    streams = {"stdin": theirs if has_terminal else subprocess.DEVNULL, "stdout": theirs, "stderr": theirs}

    def take_terminal():
        if has_terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen([command], env=environment, start_new_session=True, preexec_fn=take_terminal, **streams)
    timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
    timer.daemon = True  # a failure is reported at once
    timer.start()
    os.close(theirs)
    seen = ""

    def read_until(text):
        global seen
        while text not in seen:
            chunk = os.read(ours_end, 4096).decode()
            assert chunk, f"no {text!r} in {seen!r}"
            seen += chunk

    read_until("ready")
    if has_terminal:
        os.write(ours_end, b"\x03")
    else:
        process.send_signal(signal.SIGINT)
    read_until("count 1")
    process.send_signal(signal.SIGTERM)
    process.wait(TIMEOUT_SECONDS)
    timer.cancel()
    assert count.read_text() == "1\n", count.read_text()
    count.unlink()
    os.close(ours_end)
counter.write_bytes(kept)

# Without the optional dependency the error says what to do.
shutil.rmtree(project / "node_modules" / manifests[ours]["name"])
missing = subprocess.run([command, "--version"], env=environment, capture_output=True, text=True)
assert missing.returncode == 1 and "--omit=optional" in missing.stderr and manifests[ours]["name"] in missing.stderr, missing
print("ok")
