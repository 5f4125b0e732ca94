import { FailedPrecondition, hideCredentials } from "@boxship/base";
import type { ExitStatus } from "@boxship/runtime";
import { BuildError, type BuildFailure } from "../contract.ts";
import type { Containerfile, Stage, StageInstruction } from "../language/index.ts";

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

const CONTEXT_LINES = 2;

/** What went wrong with an instruction, with its lines of the file. */
export function buildError(
  file: Containerfile,
  instruction: StageInstruction | Stage["from"],
  vertex: string,
  error: Error,
  words: "classic" | "buildkit",
): BuildError {
  const { place } = instruction;
  const command = error instanceof CommandFailed ? error : undefined;
  const failure: BuildFailure = {
    file: place.file,
    lines: place.lines,
    excerpt: excerptOf(file, place.file, place.lines),
    instruction: hideCredentials(instruction.text),
    vertex,
    ...(command === undefined ? {} : { exitCode: command.exitCode, output: command.output }),
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

function excerptOf(file: Containerfile, name: string, lines: readonly [number, number]): BuildFailure["excerpt"] {
  const source = file.sources.get(name) ?? [];
  const [first, last] = [Math.max(1, lines[0] - CONTEXT_LINES), Math.min(source.length, lines[1] + CONTEXT_LINES)];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const line = first + index;
    return { line, text: hideCredentials(source[line - 1] ?? ""), failed: line >= lines[0] && line <= lines[1] };
  });
}
