import { FailedPrecondition, hideCredentials } from "@boxship/base";
import type { ExitStatus } from "@boxship/runtime";
import { BuildError, type BuildFailure } from "../contract.ts";
import {
  type Containerfile,
  ContainerfileError,
  excerptOf,
  type Stage,
  type StageInstruction,
} from "../language/index.ts";

/** A command of a build has ended with another exit code than 0. */
export class CommandFailed extends FailedPrecondition {
  readonly args: readonly string[];
  readonly exitCode: number;
  /** The end of what it wrote. */
  readonly output: string;
  /** An image of the file system that it left. */
  imageId: string | undefined;

  constructor(args: readonly string[], status: ExitStatus, output: string) {
    const killed = status.oomKilled ? " (it ran out of memory)" : "";
    super(`The command '${args.join(" ")}' returned a non-zero code: ${status.code}${killed}`);
    this.args = args;
    this.exitCode = status.code;
    this.output = output;
  }
}

/** What went wrong with an instruction, with its lines of the file. */
export function buildError(
  file: Containerfile,
  instruction: StageInstruction | Stage["from"],
  vertex: string,
  error: Error,
  { words, shell }: { readonly words: "classic" | "buildkit"; readonly shell: boolean },
): BuildError {
  const { place } = instruction;
  const command = error instanceof CommandFailed ? error : undefined;
  const failure: BuildFailure = {
    file: place.file,
    lines: place.lines,
    excerpt: excerptOf(file.sources.get(place.file) ?? [], place.lines),
    instruction: hideCredentials(instruction.text),
    vertex,
    ...(command === undefined ? {} : { exitCode: command.exitCode, output: command.output, shell }),
    ...(command?.imageId === undefined ? {} : { imageId: command.imageId }),
  };
  const message =
    command !== undefined && words === "buildkit"
      ? `process ${JSON.stringify(command.args.join(" "))} did not complete successfully: exit code: ${command.exitCode}`
      : error.message;
  const remedy = "remedy" in error && typeof error.remedy === "string" ? error.remedy : remedyOf(place, command);
  return new BuildError(message, failure, { cause: error, remedy });
}

function remedyOf({ file, lines }: StageInstruction["place"], command: CommandFailed | undefined): string {
  if (command === undefined) return `look at ${file}:${lines[0]}`;
  return `look at ${file}:${lines[0]}, and at the output above`;
}

/** Where a build failed, and what stands there; undefined when it is nothing in a file. */
export function failureOf(error: unknown): BuildFailure | undefined {
  if (error instanceof BuildError) return error.failure;
  if (!(error instanceof ContainerfileError) || error.excerpt.length === 0) return undefined;
  const { place, excerpt } = error;
  return { file: place.file, lines: place.lines, excerpt, instruction: "" };
}
