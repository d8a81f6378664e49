#!/usr/bin/env node
// Runs the binary of this platform, which one of the optional dependencies contains. The streams are the binary's own:
// nothing is read or written here.
"use strict";

const { spawn } = require("node:child_process");
const { isatty } = require("node:tty");

const name = `polytomic-mcp-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "polytomic-mcp.exe" : "polytomic-mcp";

let binary;
try {
  binary = require.resolve(`${name}/bin/${file}`);
} catch {
  const known = Object.keys(require("./package.json").optionalDependencies);
  const hint = known.includes(name)
    ? "install again without --omit=optional or --no-optional, on this machine and not on another one"
    : `there are binaries for ${known.map((k) => k.slice("polytomic-mcp-".length)).join(", ")}; build from source`;
  console.error(`error: the package ${name} with the binary for this platform is not installed.\nhint: ${hint}`);
  process.exit(1);
}

// The binary decides when it ends, and this process ends with it. A terminal sends its signals to the binary as well, which
// takes a second one as the wish to end at once. Handled before the start: the first signal may come at once.
let child;
const hasTerminal = [0, 1, 2].some((stream) => isatty(stream));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  const isSentByTerminal = hasTerminal && signal !== "SIGTERM";
  process.on(signal, () => isSentByTerminal || child.kill(signal));
}
child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => {
  console.error(`error: ${binary} does not start: ${error.message}`);
  process.exit(1);
});
child.on("exit", (status, signal) => {
  if (signal === null) {
    process.exit(status);
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
