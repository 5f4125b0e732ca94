/**
 * One line of a container's log file, in the format that conmon calls `k8s-file` and the CRI has made common:
 *
 *     2026-11-21T10:00:00.123456789+00:00 stdout F text of the line
 *
 * `F` ends a line of output, `P` is a part of one that goes on in the next entry of the same stream.
 */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 in UTC with nine digits of a second. */
  readonly time: string;
  /** The same in milliseconds since the epoch, with fractions. */
  readonly milliseconds: number;
  /** Whether the output's line ends here. */
  readonly complete: boolean;
  /** The output, with its newline if the line ends here. */
  readonly data: Buffer;
}

const SPACE = 0x20;
const NEWLINE = Buffer.from("\n");
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** Parses a line without its newline. Undefined for what is not one, such as the rest of a write that was cut off. */
export function parseLogLine(line: Buffer): LogEntry | undefined {
  const timeEnd = line.indexOf(SPACE);
  const streamEnd = line.indexOf(SPACE, timeEnd + 1);
  const tagEnd = line.indexOf(SPACE, streamEnd + 1);
  if (timeEnd < 0 || streamEnd < 0 || tagEnd < 0) return undefined;
  const stream = line.toString("latin1", timeEnd + 1, streamEnd);
  const tag = line.toString("latin1", streamEnd + 1, tagEnd);
  const time = parseTime(line.toString("latin1", 0, timeEnd));
  if ((stream !== "stdout" && stream !== "stderr") || (tag !== "F" && tag !== "P") || time === undefined)
    return undefined;
  const text = line.subarray(tagEnd + 1);
  const complete = tag === "F";
  return { stream, ...time, complete, data: complete ? Buffer.concat([text, NEWLINE]) : Buffer.from(text) };
}

// Lines of one second share all but their fraction; parsing dates is what costs.
let lastPrefix = "";
let lastSeconds: { readonly text: string; readonly milliseconds: number } | undefined;

function parseTime(text: string): Pick<LogEntry, "time" | "milliseconds"> | undefined {
  const [, local = "", fraction = "", zone = ""] = TIME.exec(text) ?? [];
  if (local === "") return undefined;
  const prefix = local + zone;
  if (prefix !== lastPrefix || lastSeconds === undefined) {
    const milliseconds = Date.parse(prefix);
    if (Number.isNaN(milliseconds)) return undefined;
    lastSeconds = { text: new Date(milliseconds).toISOString().slice(0, 19), milliseconds };
    lastPrefix = prefix;
  }
  const nanoseconds = fraction.padEnd(9, "0");
  return {
    time: `${lastSeconds.text}.${nanoseconds}Z`,
    milliseconds: lastSeconds.milliseconds + Number(nanoseconds) / 1e6,
  };
}
