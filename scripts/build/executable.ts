import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { daemonFlags, nodeFlags } from "@boxship/base/entry";
import type { Parts } from "./bundle.ts";
import { writeCodeCaches } from "./code-cache.ts";
import { executableLauncher } from "./launcher.ts";

/** Makes `dist/boxship`: Node, the parts, and the flags that Node runs with. */
export async function buildExecutable(root: string, parts: Parts): Promise<void> {
  const dist = join(root, "dist");
  mkdirSync(dist, { recursive: true });
  const work = mkdtempSync(join(dist, "executable-"));
  try {
    const assets: Record<string, string> = {};
    for (const [part, text] of parts) writeFileSync((assets[part] = join(work, `${part}.cjs`)), text);
    Object.assign(assets, writeCodeCaches(work, nodeFlags));
    writeFileSync(join(work, "main.cjs"), executableLauncher);
    const config = {
      main: join(work, "main.cjs"),
      output: join(work, "boxship"),
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      execArgv: daemonFlags,
      execArgvExtension: "none",
      assets,
    };
    writeFileSync(join(work, "sea.json"), JSON.stringify(config));
    execFileSync(process.execPath, ["--build-sea", join(work, "sea.json")], { stdio: ["ignore", "ignore", "inherit"] });
    renameSync(join(work, "boxship"), join(dist, "boxship"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const megabytes = Math.round(statSync(join(dist, "boxship")).size / 1e6);
  process.stdout.write(`dist/boxship (${megabytes} MB, ${[...parts.keys()].join(", ")})\n`);
}
