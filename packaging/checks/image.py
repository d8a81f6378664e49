"""The file system of the image, put together by the script of the Dockerfile, in a chroot: there need be no engine.

It runs as the image's user without rights and with the image's files alone: the binary starts, resolves names by DNS,
and trusts the certificates in the image. Network and mounts are private to this check. Needs root, or sudo that asks for
no password; unshare and openssl.
"""

import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading

from support import Api, ROOT, Session, run, scratch, stripped

HOST = "api.example.com"

missing = [tool for tool in ["unshare", "openssl", "ip", "chroot"] if not shutil.which(tool)]
has_sudo = not missing and os.geteuid() != 0 and shutil.which("sudo") is not None \
    and subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0
if has_sudo:
    # As on the machines of CI. Nothing that root writes stays behind.
    kept = [f"{name}={os.environ[name]}" for name in ["PATH", "PROGRAM", "TOOLS"]] + ["PYTHONDONTWRITEBYTECODE=1"]
    sys.exit(subprocess.run(["sudo", "-n", "env", *kept, sys.executable, __file__], check=False).returncode)
if os.geteuid() != 0:
    missing.insert(0, "root")
if missing:
    reason = f"needs {', '.join(missing)}"
    if "PACKAGES_REQUIRED" in os.environ:
        sys.exit(reason)
    print(f"skipped: {reason}")
    sys.exit()
if "IN_PRIVATE_NETWORK" not in os.environ:
    # Port 53 and loopback of its own.
    command = ["unshare", "--net", "--", sys.executable, __file__]
    sys.exit(subprocess.run(command, env=os.environ | {"IN_PRIVATE_NETWORK": "1"}, check=False).returncode)
run(["ip", "link", "set", "lo", "up"])

folder = scratch()
image = folder / "image"
run([ROOT / "packaging/image/root", stripped(folder), image])
folder.chmod(0o755)

names = sorted(path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file())
print("\n".join(names))
assert not [name for name in names if "bin/" in name and name != "usr/bin/polytomic-mcp"], "more than one program"
assert (image / "home/nonroot").stat().st_uid == 65532


def command(*arguments):
    return ["chroot", "--userspec=65532:65532", str(image), "/usr/bin/polytomic-mcp", *arguments]


environment = {"HOME": "/home/nonroot", "PATH": os.environ["PATH"]}

# The sandbox, with state in the home of the user.
session = Session(command("--sandbox"), environment)
created, is_error = session.call("list_connections", {})
assert not is_error, created
model = {"connection_id": created["connections"][0]["id"], "name": "Users", "configuration": {"table": "public.users"}}
created, is_error = session.call("create_model", model)
assert not is_error and created["model"]["name"] == "Users", created
session.close()

# A service at a name that only DNS knows, with a certificate that is in the bundle of the image.
run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
     "-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=critical,CA:FALSE",
     "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"])
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
api = Api(tls)


def serve_names(udp):
    """Responds to each query for an IPv4 address with loopback, and to others with nothing."""
    while True:
        query, client = udp.recvfrom(512)
        question = query[12:query.index(b"\0", 12) + 5]
        is_ipv4 = question[-4:-2] == b"\0\x01"
        resolved.append(question)
        header = query[:2] + struct.pack(">HHHHH", 0x8180, 1, int(is_ipv4), 0, 0)
        record = b"\xc0\x0c\0\x01\0\x01" + struct.pack(">IH", 60, 4) + socket.inet_aton("127.0.0.1")
        udp.sendto(header + question + (record if is_ipv4 else b""), client)


resolved = []
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 53))
threading.Thread(target=serve_names, args=[udp], daemon=True).start()
(image / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")  # an engine writes this file
bundle = image / "etc/ssl/certs/ca-certificates.crt"
assert bundle.read_text().count("BEGIN CERTIFICATE") > 50
variables = environment | {"POLYTOMIC_BASE_URL": f"https://{HOST}:{api.port}", "POLYTOMIC_API_KEY": "key"}

session = Session(command(), variables)
error, _ = session.call("get_identity", {})
assert resolved, f"the name was not resolved by DNS: {error}"
assert "UnknownIssuer" in error["details"]["cause"], error
assert not api.keys, "the key was sent to a server with a foreign certificate"
session.close()

with bundle.open("a") as file:
    file.write(pathlib.Path(folder / "certificate.pem").read_text())
session = Session(command(), variables)
error, _ = session.call("get_identity", {})
assert error["code"] == "unauthorized" and api.keys == ["Bearer key"], f"{error} {api.keys}"
session.close()
print("ok")
