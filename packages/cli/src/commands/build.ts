import { programCommand } from "@boxship/base/entry";
import { shellWord } from "@boxship/base/shell-word";
import { BUILD_FLAGS, executeBuild } from "../build/execute-build.ts";
import { parseCall, printCall } from "../build/file-call.ts";
import { type BuildProgress, plainProgress, quietProgress, rawProgress, TreeProgress } from "../build/progress.ts";
import { type BuildAnswer, BuildFailed } from "../build/run-build.ts";
import { defineCommand } from "../command.ts";
import { type Context, print, warn } from "../context.ts";
import { Failure, FlagError } from "../failure.ts";

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  summary: "Build an image from a Containerfile",
  flags: BUILD_FLAGS,
  operands: { min: 1, max: 1 },
  completes: "file",
  async run(context, { flags, operands: [operand = "."] }) {
    const call = settled(() => parseCall(flags.check ? "check" : flags.call));
    const shown = flags.quiet || call !== undefined ? "quiet" : flags.progress;
    const progress = settled(() => progressOf(context, shown));
    const asked = call === undefined ? {} : { call: call.name };
    const args = withEpoch(flags["build-arg"], context.env);
    const result = await executeBuild(context, { ...flags, "build-arg": args }, operand, { progress, ...asked }).catch(
      (error: unknown) =>
        explain(context, wrongValue(error), { onError: flags["on-error"], again: rerunLine(operand, flags.file) }),
    );
    if (call !== undefined && result.call !== undefined) {
      printCall(context, call, result.call);
      return;
    }
    if (shown !== "quiet" && shown !== "rawjson") showWarnings(context, result.warnings);
    if ((flags.quiet || flags.progress === "quiet") && result.imageId !== undefined) print(context, result.imageId);
  },
});

/** The time that the environment gives to reproducible builds is an argument of the build, as for buildx. */
function withEpoch(args: readonly string[], env: Context["env"]): readonly string[] {
  const epoch = env["SOURCE_DATE_EPOCH"];
  if (epoch === undefined || epoch === "") return args;
  return args.some((arg) => /^SOURCE_DATE_EPOCH(?:=|$)/.test(arg)) ? args : [...args, `SOURCE_DATE_EPOCH=${epoch}`];
}

/** What a flag cannot mean ends with 1, as in buildx; what is no flag at all with 125. */
function wrongValue(error: unknown): unknown {
  return error instanceof FlagError ? new Failure(error.message, { cause: error }) : error;
}

function settled<T>(task: () => T): T {
  try {
    return task();
  } catch (error) {
    throw wrongValue(error);
  }
}

/** What rules found in the Containerfile stands together at the end; everything else is a warning of its own. */
function showWarnings(context: Context, warnings: BuildAnswer["warnings"]): void {
  const found = warnings.filter(({ lines }) => lines !== undefined);
  for (const { message, lines } of warnings) if (lines === undefined) warn(context, `WARNING: ${message}`);
  if (found.length === 0) return;
  const count = found.length === 1 ? "1 warning" : `${found.length} warnings`;
  warn(context, `\n ${count} found (use --check to expand):`);
  for (const { rule, message, lines } of found) warn(context, ` - ${rule}: ${message} (line ${lines?.[0]})`);
}

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
    case "none":
      return quietProgress;
    default:
      throw new FlagError(`invalid progress mode ${type}`);
  }
}

const NO_SHELL =
  "There is no shell in what it left: in this container only builds are run. Let a RUN before it show what you need to see.";

/** Shows the lines of the file that failed and the last output; opens a shell where that was asked for. */
async function explain(
  context: Context,
  error: unknown,
  { onError, again }: { readonly onError: string; readonly again: string | undefined },
): Promise<never> {
  if (!(error instanceof BuildFailed) || error.failure === undefined) throw error;
  const { file, lines, excerpt, output = "", imageId, exitCode, shell } = error.failure;
  if (output !== "") warn(context, `------\n${output.trimEnd()}\n------`);
  warn(context, `${file}:${lines[0]}`);
  for (const { line, text: source, failed } of excerpt) {
    warn(context, `${String(line).padStart(4)} | ${failed ? ">>>" : "   "} ${source}`);
  }
  if (onError === "shell" && imageId !== undefined) await openShell(context, imageId);
  else if (shell === false) warn(context, NO_SHELL);
  else if (exitCode !== undefined && again !== undefined) {
    warn(context, `Run it again, with a shell in what it left:\n  ${again}`);
  }
  throw error;
}

/** The same command line, for a shell; undefined where standard input was part of it, which is gone. */
function rerunLine(operand: string, file: string): string | undefined {
  if (operand === "-" || file === "-") return undefined;
  const words = process.argv.slice(2);
  const own = words.indexOf("build") + 1;
  const line = [...programCommand(), ...words.slice(0, own), "--on-error=shell", ...words.slice(own)];
  return line.map(shellWord).join(" ");
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
