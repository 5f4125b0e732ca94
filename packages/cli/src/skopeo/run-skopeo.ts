import { createHash } from "node:crypto";
import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base/errors";
import type { Context } from "../context.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { HelpRequested, parseFlags } from "../flags/parse-flags.ts";
import { versionLine } from "../version.ts";
import { copyFlags, globalFlags, imageFlags } from "./flags.ts";
import { readNamedFile } from "./go-words.ts";
import { createLog } from "./log.ts";
import type { SkopeoCommand } from "./session.ts";
import { chosenPlatform } from "./surroundings.ts";
import { describeUsage, UsageError } from "./usage.ts";

const manifestDigest: SkopeoCommand = async ({ context }, [file, ...others]) => {
  if (file === undefined || others.length > 0) throw new InvalidArgument("Exactly one argument expected");
  print(
    context,
    `sha256:${createHash("sha256")
      .update(readNamedFile(file, `Error reading manifest from ${file}: `))
      .digest("hex")}`,
  );
};

const COMMANDS: ReadonlyMap<string, () => Promise<SkopeoCommand>> = new Map([
  ["copy", async () => (await import("./copy.ts")).copy],
  ["delete", async () => (await import("./delete.ts")).deleteCommand],
  ["inspect", async () => (await import("./inspect.ts")).inspect],
  ["list-tags", async () => (await import("./list-tags.ts")).listTags],
  ["login", async () => (await import("./login.ts")).login],
  ["logout", async () => (await import("./login.ts")).logout],
  ["manifest-digest", () => Promise.resolve(manifestDigest)],
  ["sync", async () => (await import("./sync.ts")).sync],
]);

/** skopeo's words that have no place here, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["generate-sigstore-key", "use boxship key generate"],
  ["layers", "use boxship skopeo copy to a directory"],
  ["standalone-sign", "signatures with GPG keys are not supported; use boxship sign"],
  ["standalone-verify", "signatures with GPG keys are not supported; use boxship verify"],
]);

/** skopeo's whole grammar. @param args words after `skopeo` */
export async function runSkopeo(context: Context, args: readonly string[]): Promise<void> {
  const log = createLog(context, args.includes("--debug"));
  try {
    await dispatch(context, args);
  } catch (error) {
    if (error instanceof UsageError) {
      context.stderr.write(`${error.usage}\n`);
      throw new Failure("");
    }
    log("fatal", errorMessage(error));
    throw new Failure("", { cause: error });
  }
}

async function dispatch(context: Context, args: readonly string[]): Promise<void> {
  const { values: global, operands } = globals(context, args);
  if (global === undefined) return;
  if (global.version) {
    print(context, `skopeo words of ${versionLine()}`);
    return;
  }
  const [word, ...rest] = operands;
  if (word === undefined || word === "help") {
    print(context, describe());
    return;
  }
  const load = COMMANDS.get(word);
  const instead = REFUSED.get(word);
  if (instead !== undefined) throw new Unsupported(`skopeo ${word} is not supported: ${instead}`);
  if (global["registries.d"] !== "") {
    throw new Unsupported("--registries.d is not supported: signatures are always looked for beside the image", {
      remedy: "leave it out",
    });
  }
  if (load === undefined) {
    throw new InvalidArgument(`Unrecognized command \`skopeo ${word}\`\nTry 'skopeo --help' for more information`);
  }
  if (global.tmpdir !== "") process.env["TMPDIR"] = global.tmpdir;
  const log = createLog(context, global.debug);
  const command = await load();
  const run = () => command({ context, global, platform: chosenPlatform(global), log }, rest);
  try {
    await withTimeout(global["command-timeout"] / 1e6, run);
  } catch (error) {
    if (!(error instanceof HelpRequested)) throw error;
    print(context, describeUsage(word, word === "copy" ? copyFlags : imageFlags));
  }
}

function globals(context: Context, args: readonly string[]) {
  try {
    return parseFlags(globalFlags, args, { interspersed: false });
  } catch (error) {
    if (!(error instanceof HelpRequested)) throw error;
    print(context, describe());
    return { values: undefined, operands: [] };
  }
}

async function withTimeout(milliseconds: number, work: () => Promise<void>): Promise<void> {
  if (milliseconds <= 0) return work();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new InvalidArgument("context deadline exceeded")), milliseconds);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(): string {
  const names = [...COMMANDS.keys()].map((name) => `  ${name}`).join("\n");
  return `Various operations with container images and container image registries\n\n${describeUsage("COMMAND", globalFlags)}\n\nAvailable Commands:\n${names}`;
}
