import { basename } from "node:path";
import { commandTable } from "./command-table.ts";
import { runCli } from "./run-cli.ts";

/** Tools whose grammar is taken whole when the program is called by their name. */
const TOOLS: readonly string[] = ["buildah", "helm", "kubectl", "kustomize", "skopeo"];

if (import.meta.main) {
  const called = basename(process.argv0);
  void runCli([...(TOOLS.includes(called) ? [called] : []), ...process.argv.slice(2)], commandTable);
}
