import { type Status, type StatusCause, statusOf } from "@boxship/api";
import { BoxshipError, errorMessage, systemCode, Unavailable } from "@boxship/base";
import { PlainRefusal, Refusals } from "./failure.ts";

/** How a failure is told: the text with its line's end, and the exit status. */
export interface Told {
  readonly text: string;
  readonly status: number;
}

/** Any failure of a command in kubectl's words. The one place that makes them. */
export function errorText(error: unknown, server: string): Told {
  if (error instanceof PlainRefusal) return { text: withEnd(error.message), status: error.status };
  if (error instanceof Refusals) {
    const lines = error.errors.map((one) => standardText(one, server) ?? errorMessage(one));
    return { text: `${lines.join("\n")}\n`, status: 1 };
  }
  const status = statusAt(error);
  if (status?.reason === "Invalid") return { text: withEnd(invalidText(status)), status: 1 };
  const known = standardText(error, server);
  if (known !== undefined) return { text: withEnd(known), status: 1 };
  const message = systemText(error) ?? errorMessage(error);
  return { text: withEnd(message.startsWith("error: ") ? message : `error: ${message}`), status: 1 };
}

const SYSTEM: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "file exists",
  EISDIR: "is a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
};

/** `open /x: permission denied`, of what the system refused. */
function systemText(error: unknown): string | undefined {
  const { syscall = "", path } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const words = SYSTEM[systemCode(error) ?? ""];
  return words === undefined || path === undefined ? undefined : `${syscall} ${path}: ${words}`;
}

const withEnd = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** The status that the server answered with. */
export function statusAt(error: unknown): Status | undefined {
  return error instanceof BoxshipError ? statusOf(error) : undefined;
}

function standardText(error: unknown, server: string): string | undefined {
  const status = statusAt(error);
  if (status !== undefined) {
    if (status.reason === "Unauthorized") {
      return `error: You must be logged in to the server (${status.message ?? ""})`;
    }
    return `Error from server${status.reason === undefined ? "" : ` (${status.reason})`}: ${errorMessage(error)}`;
  }
  if (!(error instanceof Unavailable)) return undefined;
  if (systemCode(error.cause) === "ECONNREFUSED" || /ECONNREFUSED/.test(errorMessage(error.cause))) {
    return `The connection to the server ${server} was refused - did you specify the right host or port?`;
  }
  return `Unable to connect to the server: ${errorMessage(error.cause ?? error)}`;
}

function invalidText({ message = "", details }: Status): string {
  if (details === undefined) return `The request is invalid: ${message}`;
  const { kind = "", name = "", causes = [] } = details;
  let text = "The request is invalid";
  if (kind !== "" || name !== "") text = `The ${kind} ${JSON.stringify(name)} is invalid`;
  else if (message !== "" && causes.length === 0) text = `The request is invalid: ${message}`;
  if (causes.length === 0) return text;
  const lines = [...new Set(causes.map(causeText))];
  return lines.length === 1 ? `${text}: ${lines[0]}` : `${text}: \n${lines.map((line) => `* ${line}\n`).join("")}`;
}

const causeText = ({ field = "", message = "" }: StatusCause): string =>
  field === "" ? message : `${field}: ${message}`;
