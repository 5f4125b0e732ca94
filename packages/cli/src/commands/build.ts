import { BUILD_FLAGS, executeBuild } from "../build/execute-build.ts";
import { type BuildProgress, plainProgress, quietProgress, rawProgress, TreeProgress } from "../build/progress.ts";
import { BuildFailed } from "../build/run-build.ts";
import { defineCommand } from "../command.ts";
import { type Context, print, warn } from "../context.ts";
import { FlagError } from "../failure.ts";

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  summary: "Build an image from a Containerfile",
  flags: BUILD_FLAGS,
  operands: { min: 1, max: 1 },
  completes: "file",
  async run(context, { flags, operands: [operand = "."] }) {
    const progress = progressOf(context, flags.quiet ? "quiet" : flags.progress);
    const result = await executeBuild(context, flags, operand, { progress }).catch((error: unknown) =>
      explain(context, error, flags["on-error"]),
    );
    for (const { message } of result.warnings) warn(context, `WARNING: ${message}`);
    if (flags.quiet && result.imageId !== undefined) print(context, result.imageId);
  },
});

function progressOf({ stderr }: Context, type: string): BuildProgress {
  switch (type) {
    case "auto":
      return stderr.isTTY ? new TreeProgress(stderr) : plainProgress(stderr);
    case "tty":
      return new TreeProgress(stderr);
    case "plain":
      return plainProgress(stderr);
    case "rawjson":
      return rawProgress(stderr);
    case "quiet":
      return quietProgress;
    default:
      throw new FlagError(`invalid progress mode ${type}`);
  }
}

/** Shows the lines of the file that failed and the last output; opens a shell where that was asked for. */
async function explain(context: Context, error: unknown, onError: string): Promise<never> {
  if (!(error instanceof BuildFailed) || error.failure === undefined) throw error;
  const { file, lines, excerpt, output = "", imageId } = error.failure;
  if (output !== "") warn(context, `------\n${output.trimEnd()}\n------`);
  warn(context, `${file}:${lines[0]}`);
  for (const { line, text: source, failed } of excerpt) {
    warn(context, `${String(line).padStart(4)} | ${failed ? ">>>" : "   "} ${source}`);
  }
  if (onError === "shell" && imageId !== undefined) await openShell(context, imageId);
  throw error;
}

/** A shell in what a command left; the image goes afterwards. */
async function openShell(context: Context, image: string): Promise<void> {
  const { command: run } = await import("./run.ts");
  const { parseFlags } = await import("../flags/parse-flags.ts");
  const words = ["--rm", "-i", ...(context.stdin.isTTY ? ["-t"] : []), "--entrypoint", "/bin/sh", image];
  const { values, changed, operands } = parseFlags(run.flags, words, { interspersed: false });
  try {
    await run.run(context, { flags: values, changed, operands, path: "run" });
  } finally {
    await context.api.call("DELETE", `/images/${image}`, { query: { force: true } });
  }
}
