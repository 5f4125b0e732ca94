import { InvalidArgument, Unsupported } from "@boxship/base";
import type { HostConfig } from "../container/config.ts";
import { checkDriverOptions, type ShippingDriver, shippingDrivers } from "./driver-options.ts";
import { initializing, invalidOption, parseFlag, parseSize, unknownOption } from "./log-option.ts";
import { checkTagSyntax } from "./log-tag.ts";

/** What becomes of a container's output. */
export interface LogPlan {
  readonly driver: "json-file" | "local" | "none" | ShippingDriver;
  /** It is written to a file. */
  readonly kept: boolean;
  /** The file can be read by `logs`. */
  readonly readable: boolean;
  /** Bytes of one file; 0 never rotates. */
  readonly maxSize: number;
  readonly maxFile: number;
  readonly compress: boolean;
  /** Most bytes that wait for a log server. @default what the files hold */
  readonly maxBacklog?: number;
  readonly options: Readonly<Record<string, string>>;
  /** Why a container with these options is not started, in Docker's words; the limits are the defaults then. */
  readonly problem?: InvalidArgument;
}

/** Defaults of the configuration file. */
export interface LogDefaults {
  readonly maxSize?: string;
  readonly maxFile?: number;
}

const DEFAULT_SIZE = "20m";
const DEFAULT_FILES = 5;

/** Drivers of Docker that need a cloud's own service. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  awslogs: "send them to a Fluent Bit with its cloudwatch_logs output, by --log-driver fluentd",
  gcplogs: "send them to a Fluent Bit with its stackdriver output, by --log-driver fluentd",
  splunk: "send them to a Fluent Bit with its splunk output, by --log-driver fluentd, or to Splunk's own syslog input",
  etwlogs: "it is for Windows; journald and syslog are the system logs here",
};

/** Options that every driver has. */
const COMMON = ["mode", "max-buffer-size"];
/** Options of the copy that `logs` reads, for drivers that send logs elsewhere. */
const CACHE = ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];
const FILE = ["max-size", "max-file", "compress"];
/** Options that add something to each entry. */
const ATTRIBUTES = ["labels", "labels-regex", "env", "env-regex", "tag"];

/**
 * What `--log-driver` and `--log-opt` mean here.
 *
 * @throws Unsupported for drivers that there are not, InvalidArgument for an option that the driver does not know, or a
 *   wrong value that Docker refuses when the container is created
 */
export function planLog(asked: HostConfig["logConfig"], defaults: LogDefaults = {}): LogPlan {
  const driver = driverOf(asked?.type ?? "");
  const options = asked?.config ?? {};
  if (driver === "none") {
    return { driver, kept: false, readable: false, maxSize: 0, maxFile: 1, compress: false, options };
  }
  const maxBacklog = checkMode(options);
  const ships = isShipping(driver);
  const known = [...COMMON, ...(ships ? CACHE : FILE), ...(driver === "local" ? [] : ATTRIBUTES)];
  const own = Object.entries(options).filter(([key]) => !known.includes(key));
  if (ships) checkDriverOptions(driver, Object.fromEntries(own), options);
  else if (own[0] !== undefined) throw unknownOption(own[0][0], driver);
  const key = (name: string) => (ships ? `cache-${name}` : name);
  const limits = initializing(() => {
    const found = fileLimits(options, key, { driver, defaults });
    checkTagSyntax(options["tag"] ?? "");
    return found;
  });
  return {
    driver,
    kept: true,
    readable: !parseFlag(key("disabled"), options[key("disabled")], false),
    ...("result" in limits ? limits.result : { ...fileLimits({}, key, { driver, defaults }), problem: limits.problem }),
    ...(ships && maxBacklog !== undefined ? { maxBacklog } : {}),
    options,
  };
}

export function isShipping(driver: string): driver is ShippingDriver {
  return (shippingDrivers as readonly string[]).includes(driver);
}

function driverOf(name: string): LogPlan["driver"] {
  if (name === "") return "json-file";
  if (name === "json-file" || name === "local" || name === "none" || isShipping(name)) return name;
  const subject = { kind: "log driver", name };
  const drivers = ["json-file", "local", "none", ...shippingDrivers].join(", ");
  const instead = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (instead !== undefined) throw new Unsupported(`log driver ${name} is not supported`, { subject, remedy: instead });
  throw new InvalidArgument(`error looking up logging plugin ${name}: plugin "${name}" not found`, {
    subject,
    remedy: `use one of ${drivers}`,
  });
}

/** Both modes are the same here: a container never waits for a log server. @returns the most bytes that may wait */
function checkMode(options: Readonly<Record<string, string>>): number | undefined {
  const { mode = "", "max-buffer-size": size } = options;
  if (!["", "blocking", "non-blocking"].includes(mode)) {
    throw invalidOption(`logger: logging mode not supported: ${mode}`, "mode");
  }
  if (size === undefined) return undefined;
  if (mode !== "non-blocking") {
    throw invalidOption("logger: max-buffer-size option is only supported with 'mode=non-blocking'", "max-buffer-size");
  }
  try {
    return parseSize("max-buffer-size", size, 1024);
  } catch {
    throw invalidOption(`error parsing option max-buffer-size: invalid size: '${size}'`, "max-buffer-size");
  }
}

function fileLimits(
  options: Readonly<Record<string, string>>,
  key: (name: string) => string,
  { driver, defaults }: { readonly driver: string; readonly defaults: LogDefaults },
): Pick<LogPlan, "maxSize" | "maxFile" | "compress"> {
  const [size, files, compress] = [options[key("max-size")], options[key("max-file")], options[key("compress")]];
  const plain = driver === "json-file";
  const value = <Result>(name: string, words: string, read: () => Result): Result => {
    try {
      return read();
    } catch (error) {
      if (plain || !(error instanceof InvalidArgument)) throw error;
      throw invalidOption(`${words}: ${error.message}`, key(name), error.remedy);
    }
  };
  const maxSize =
    size === undefined
      ? parseLogSize(defaults.maxSize ?? DEFAULT_SIZE, "max-size")
      : value("max-size", `invalid value for max-size: ${size}`, () => parseLogSize(size, key("max-size")));
  const maxFile =
    files === undefined
      ? (defaults.maxFile ?? DEFAULT_FILES)
      : value("max-file", `invalid value for max-file: ${files}`, () => fileCount(files, key("max-file")));
  if (maxFile < 1) throw invalidOption("max-file cannot be less than 1", key("max-file"));
  const asked = value("compress", "error reading compress log option", () =>
    parseFlag(key("compress"), compress, !plain),
  );
  const possible = maxFile > 1 && maxSize > 0;
  if (asked && !possible && compress !== undefined && compress !== "") {
    throw invalidOption(
      plain
        ? "compress cannot be true when max-file is less than 2 or max-size is not set"
        : "compression cannot be enabled when max file count is 1",
      key("compress"),
    );
  }
  return { maxSize, maxFile, compress: asked && possible };
}

function fileCount(text: string, option: string): number {
  const count = Number(text);
  if (text.trim() !== "" && Number.isInteger(count)) return count;
  throw invalidOption(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`, option);
}

/** `10m`, `512k`, `1g` in decimal units, a number of bytes, or -1 for no limit. */
export function parseLogSize(size: string, option: string): number {
  return size === "-1" ? 0 : parseSize(option, size, 1000);
}
