import type { CommandEntry } from "../command.ts";
import { runCli } from "../run-cli.ts";

/** A program of its own, so that rendering a chart does not read the code of all other commands first. */
const commands: readonly CommandEntry[] = [{ name: "helm", summary: "", load: () => import("../commands/helm.ts") }];

if (import.meta.main) void runCli(process.argv.slice(2), commands);
