// Prints how an application starts a bundle: `node mcp_config.mjs FOLDER USER_CONFIG`. The function is that of Claude
// Desktop, from the package of the bundle format.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, userConfig] = process.argv.slice(2);
const require = createRequire(`${process.env.TOOLS}/package.json`);
const { getMcpConfigForManifest } = await import(pathToFileURL(require.resolve("@anthropic-ai/mcpb")));

const config = await getMcpConfigForManifest({
  manifest: JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")),
  extensionPath: folder,
  systemDirs: {},
  userConfig: JSON.parse(userConfig),
  pathSeparator: "/",
});
console.log(JSON.stringify(config));
