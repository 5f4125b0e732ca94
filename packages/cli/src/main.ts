import { runCli } from "./run-cli.ts";

if (import.meta.main) void runCli(process.argv.slice(2));
