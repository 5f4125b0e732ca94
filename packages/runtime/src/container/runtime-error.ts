import { type BoxshipError, Internal, InvalidArgument } from "@boxship/base";
import { StartError } from "../contract.ts";

export interface FailedCall {
  /** What was tried, e.g. `create container web`. */
  readonly what: string;
  /** `args[0]` of the process. */
  readonly command: string;
  /** Everything the runtime wrote to standard error. */
  readonly output: string;
}

/**
 * A runtime's complaint as one of our errors: a command that does not exist or may not be executed is a
 * {@link StartError} in Docker's words, whichever runtime said it how; anything else keeps the runtime's message.
 */
export function runtimeError({ what, command, output }: FailedCall): BoxshipError {
  const message = cleanMessage(output);
  const start = startFailure(message, command);
  if (start !== undefined) return start;
  const text = `cannot ${what}: ${message === "" ? "the runtime gave no reason" : message}`;
  return REFUSED_VALUE.test(message) ? new InvalidArgument(text) : new Internal(text);
}

/** The kernel did not take a value that came from the user: a limit, a parameter, a mount option, a name. */
const REFUSED_VALUE =
  /(?:writing file|write to|failed to write|write) .*(?:invalid argument|numerical result out of range)$|(?:sethostname|mount \S+ to \S+): invalid argument$|error mounting .*: invalid argument$/i;

function startFailure(message: string, command: string): StartError | undefined {
  const lower = message.toLowerCase();
  const quoted = `exec: ${JSON.stringify(command)}`;
  // runc: `… exec: "NAME": REASON`
  const runc = /exec: "(?:[^"\\]|\\.)*": .*$/.exec(message)?.[0];
  if (runc !== undefined) return new StartError(runc, isMissing(lower) ? 127 : 126);
  // crun: "executable file `NAME` not found in $PATH: No such file or directory"
  if (lower.includes("executable file") && lower.includes("not found")) {
    const reason = command.includes("/")
      ? `stat ${command}: no such file or directory`
      : "executable file not found in $PATH";
    return new StartError(`${quoted}: ${reason}`, 127);
  }
  if (lower.startsWith("open executable:")) return new StartError(`${quoted}: permission denied`, 126);
  if (lower.includes("exec container process")) {
    const missing = isMissing(lower);
    const reason = missing ? "no such file or directory" : lower.slice(lower.lastIndexOf(": ") + 2);
    return new StartError(`exec ${command}: ${reason}`, missing ? 127 : 126);
  }
  return undefined;
}

function isMissing(lower: string): boolean {
  return lower.includes("not found") || lower.includes("no such file or directory");
}

/** crun colours its complaints on a terminal. */
const COLOR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");
const NOISE = /^(?:time="[^"]*" level=(?:warning|info|debug) |\[conmon:[idw]\]|conmon: )/;

/** The last complaint of a runtime without its log decoration. */
export function cleanMessage(output: string): string {
  const lines = output
    .split("\n")
    .map((line) => line.replace(COLOR, "").trim())
    .filter((line) => line !== "" && !NOISE.test(line))
    .map(undecorate);
  return (lines.at(-1) ?? "").replace(/^(?:container_linux\.go:\d+: |runc (?:create|run|exec) failed: )+/, "");
}

/** runc's `level=error msg="…"`, its JSON form, and crun's time in front. */
function undecorate(line: string): string {
  const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
  if (line.startsWith("{")) {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string")
        return value.msg;
    } catch {
      return line;
    }
  }
  return line.replace(/^\[conmon:e\]: /, "").replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z?:?\s*/, "");
}
