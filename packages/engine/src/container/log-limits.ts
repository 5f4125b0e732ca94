import { InvalidArgument, Unsupported } from "@boxship/base";
import type { HostConfig } from "./config.ts";

/** How a container's log is kept. */
export interface LogLimits {
  readonly kept: boolean;
  /** Bytes of one file; 0 never rotates. */
  readonly maxSize: number;
  readonly maxFile: number;
  readonly compress: boolean;
}

const DEFAULT_SIZE = "20m";
const DEFAULT_FILES = 5;
const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `10m`, `512k`, `1g`, a number of bytes, or -1 for no limit. */
export function parseLogSize(size: string): number {
  if (size === "-1") return 0;
  const match = /^(\d+(?:\.\d+)?)([bkmg]?)b?$/i.exec(size.trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? "?"];
  if (match === null || unit === undefined || Number(match[1]) === 0) {
    throw new InvalidArgument(`invalid value for 'max-size': ${size}`, {
      subject: { kind: "log option", name: "max-size" },
      remedy: "write a size such as 10m, or -1 for no limit",
    });
  }
  return Math.floor(Number(match[1]) * unit);
}

/**
 * What `--log-driver` and `--log-opt` mean here. Logs are kept in one format whatever of json-file and local is asked.
 *
 * @throws Unsupported for drivers that send logs elsewhere, InvalidArgument for an unknown option
 */
export function logLimits(
  asked: HostConfig["logConfig"],
  defaults: { readonly maxSize?: string; readonly maxFile?: number } = {},
): LogLimits {
  const driver = asked?.type ?? "";
  const options = asked?.config ?? {};
  if (!["", "json-file", "local", "none"].includes(driver)) {
    throw new Unsupported(`log driver ${driver} is not supported yet`, {
      subject: { kind: "log driver", name: driver },
      remedy: "use json-file, local or none",
    });
  }
  const known = driver === "none" ? [] : ["max-size", "max-file", "compress"];
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new InvalidArgument(`unknown log opt '${key}' for ${driver || "json-file"} log driver`, {
      subject: { kind: "log option", name: key },
    });
  }
  const files = options["max-file"] === undefined ? (defaults.maxFile ?? DEFAULT_FILES) : Number(options["max-file"]);
  if (!Number.isInteger(files) || files < 1) {
    throw new InvalidArgument(`invalid value for 'max-file': ${options["max-file"]}`, {
      subject: { kind: "log option", name: "max-file" },
    });
  }
  return {
    kept: driver !== "none",
    maxSize: parseLogSize(options["max-size"] ?? defaults.maxSize ?? DEFAULT_SIZE),
    maxFile: files,
    compress: options["compress"] === "true" || (options["compress"] === undefined && driver === "local"),
  };
}
