import { tryParseDuration } from "@boxship/base";
import type { SyslogAddress, SyslogFormat } from "@boxship/runtime";
import { invalidOption, parseFlag, parseSize, unknownOption } from "./log-option.ts";

/** Drivers that send logs to a server. */
export const shippingDrivers = ["syslog", "journald", "fluentd", "gelf"] as const;
export type ShippingDriver = (typeof shippingDrivers)[number];

type Options = Readonly<Record<string, string>>;

/** Refuses what a driver does not know, by name, and values that it cannot take. */
export function checkDriverOptions(driver: ShippingDriver, own: Options, options: Options): void {
  for (const key of Object.keys(own)) if (!OWN[driver].includes(key)) throw unknownOption(key, driver);
  CHECKS[driver](options);
}

const OWN: Readonly<Record<ShippingDriver, readonly string[]>> = {
  syslog: [
    "syslog-address",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
  ],
  journald: [],
  fluentd: [
    "fluentd-address",
    "fluentd-async",
    "fluentd-async-connect",
    "fluentd-async-reconnect-interval",
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-sub-second-precision",
    "fluentd-write-timeout",
    "fluentd-read-timeout",
  ],
  gelf: [
    "gelf-address",
    "gelf-compression-level",
    "gelf-compression-type",
    "gelf-tcp-max-reconnect",
    "gelf-tcp-reconnect-delay",
  ],
};

const CHECKS: Readonly<Record<ShippingDriver, (options: Options) => void>> = {
  syslog: (options) => {
    syslogAddress(options);
    syslogFacility(options["syslog-facility"]);
    syslogFormat(options["syslog-format"]);
  },
  journald: () => {},
  fluentd: (options) => {
    fluentdAddress(options["fluentd-address"]);
    for (const flag of ["async", "async-connect", "request-ack", "sub-second-precision"]) {
      parseFlag(`fluentd-${flag}`, options[`fluentd-${flag}`], false);
    }
    for (const name of ["async-reconnect-interval", "retry-wait", "write-timeout", "read-timeout"]) {
      durationOption(options, `fluentd-${name}`);
    }
    const interval = durationOption(options, "fluentd-async-reconnect-interval");
    if (interval !== undefined && interval !== 0 && (interval < 100 || interval > 10_000)) {
      throw invalidOption(
        `invalid value for fluentd-async-reconnect-interval: value ("${options["fluentd-async-reconnect-interval"]}") must be between 100ms and 10s`,
        "fluentd-async-reconnect-interval",
      );
    }
    const limit = options["fluentd-buffer-limit"];
    if (limit !== undefined && limit !== "") parseSize("fluentd-buffer-limit", limit, 1024);
    countOption(options, "fluentd-max-retries");
  },
  gelf: (options) => {
    const { protocol } = gelfAddress(options["gelf-address"]);
    gelfCompression(options, protocol);
    for (const name of ["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"]) {
      if (options[name] === undefined) continue;
      if (protocol !== "tcp") throw invalidOption(`"${name}" is only valid for TCP`, name);
      countOption(options, name);
    }
  },
};

function countOption(options: Options, name: string): void {
  const value = options[name];
  if (value === undefined || value === "" || /^\d{1,10}$/.test(value)) return;
  throw invalidOption(`"${name}" must be a positive integer`, name);
}

/** A duration as Go writes it, in milliseconds. */
export function durationOption(options: Options, name: string): number | undefined {
  const value = options[name];
  if (value === undefined || value === "") return undefined;
  const nanoseconds = tryParseDuration(value);
  if (nanoseconds === undefined || nanoseconds < 0) {
    throw invalidOption(`time: invalid duration ${JSON.stringify(value)}`, name, "write it like 500ms or 10s");
  }
  return nanoseconds / 1e6;
}

interface HostAndPort {
  readonly scheme: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
}

/** `scheme://host[:port]` or `scheme:///path`. */
function parseAddress(address: string): HostAndPort | undefined {
  const match = /^([a-z][a-z0-9+]*):\/\/(\[[^\]/]+\]|[^:/?#[\]\s]*)(?::(\d{1,5}))?(\/[^?#]*)?$/i.exec(address);
  if (match === null || Number(match[3] ?? 0) > 65_535) return undefined;
  const [, scheme = "", host = "", port, path = ""] = match;
  return {
    scheme,
    host: host.replaceAll(/[[\]]/g, ""),
    port: port === undefined ? undefined : Number(port),
    path,
  };
}

const SYSLOG_PORT = 514;

export function syslogAddress(options: Options): SyslogAddress {
  const name = "syslog-address";
  const address = options[name] ?? "";
  if (address === "") return { protocol: "local" };
  const parsed = parseAddress(address);
  if (parsed === undefined)
    throw invalidOption(
      `syslog-address should be in form proto://address, got ${address}`,
      name,
      "write it like udp://host:514",
    );
  const { scheme, host, path, port = SYSLOG_PORT } = parsed;
  switch (scheme) {
    case "unix":
    case "unixgram":
      if (path === "") throw invalidOption(`invalid syslog-address: ${address} has no path`, name);
      return { protocol: scheme, path };
    case "udp":
    case "tcp":
      return { protocol: scheme, host: host || "localhost", port };
    case "tcp+tls":
      return { protocol: scheme, host: host || "localhost", port, tls: {} };
    default:
      throw invalidOption(`unsupported scheme: '${scheme}'`, name, "use udp, tcp, tcp+tls, unix or unixgram");
  }
}

const FACILITIES = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"],
  ...["", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
];
const DAEMON = 3;

export function syslogFacility(name = ""): number {
  if (name === "") return DAEMON;
  const place = FACILITIES.indexOf(name);
  if (place >= 0) return place;
  if (/^\d{1,2}$/.test(name) && Number(name) <= 23) return Number(name);
  throw invalidOption("invalid syslog facility", "syslog-facility", "use a name such as daemon or local0, or 0 to 23");
}

const FORMATS: readonly string[] = ["", "rfc3164", "rfc5424", "rfc5424micro"] satisfies readonly SyslogFormat[];

export function syslogFormat(format = ""): SyslogFormat {
  if (FORMATS.includes(format)) return format as SyslogFormat;
  throw invalidOption("Invalid syslog format", "syslog-format", "use rfc3164, rfc5424 or rfc5424micro");
}

const FLUENTD_PORT = 24_224;

export type FluentdAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly tls?: object };

export function fluentdAddress(address = ""): FluentdAddress {
  const refuse = (why: string) => invalidOption(`invalid fluentd-address (${address}): ${why}`, "fluentd-address");
  const parsed = parseAddress(address.includes("://") ? address : `tcp://${address}`);
  if (parsed === undefined) throw refuse("it is no address");
  const { scheme, host, path, port = FLUENTD_PORT } = parsed;
  if (scheme === "unix") {
    if (path.replace(/^\/+/, "") === "") throw refuse("path is empty");
    return { path };
  }
  if (scheme !== "tcp" && scheme !== "tls") throw refuse(`unsupported scheme: '${scheme}'`);
  if (path !== "") throw refuse("should not contain a path element");
  return { host: host || "127.0.0.1", port, ...(scheme === "tls" ? { tls: {} } : {}) };
}

export interface GelfAddress {
  readonly protocol: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

export function gelfAddress(address = ""): GelfAddress {
  const name = "gelf-address";
  if (address === "") throw invalidOption("gelf-address is a required parameter", name);
  const parsed = parseAddress(address);
  const protocol = parsed?.scheme;
  if (parsed !== undefined && protocol !== "udp" && protocol !== "tcp") {
    throw invalidOption("gelf: endpoint needs to be TCP or UDP", name);
  }
  if (parsed?.port === undefined || parsed.host === "" || (protocol !== "udp" && protocol !== "tcp")) {
    throw invalidOption("gelf: please provide gelf-address as proto://host:port", name);
  }
  return { protocol, host: parsed.host, port: parsed.port };
}

export function gelfCompression(
  options: Options,
  protocol: "udp" | "tcp",
): { readonly compression: "gzip" | "zlib" | "none"; readonly compressionLevel: number } {
  const { "gelf-compression-type": type = "gzip", "gelf-compression-level": level = "1" } = options;
  if (protocol !== "udp" && ("gelf-compression-type" in options || "gelf-compression-level" in options)) {
    throw invalidOption("compression is only supported on UDP", "gelf-compression-type");
  }
  const unknown = (name: string, value: string) =>
    invalidOption(`unknown value "${value}" for log opt "${name}" for gelf log driver`, name);
  if (type !== "gzip" && type !== "zlib" && type !== "none") throw unknown("gelf-compression-type", type);
  if (!/^(?:-1|\d)$/.test(level)) throw unknown("gelf-compression-level", level);
  return { compression: type, compressionLevel: Number(level) };
}
