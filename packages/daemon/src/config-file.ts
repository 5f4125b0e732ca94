import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base";
import { parseRole } from "@boxship/docker-api";
import { STORAGE_DRIVERS, type StorageDriver } from "@boxship/storage";
import { load } from "js-yaml";
import { loopbackAddress } from "./registry.ts";

const DEFAULT_PATH = "/etc/boxship/config.yaml";

/** How one registry is reached. */
export interface RegistryOptions {
  /** Tried in order before the registry itself; `http://` makes one insecure. */
  readonly mirrors?: readonly string[];
  /** Plain HTTP or an unverified certificate is accepted. */
  readonly insecure?: boolean;
  /** Nothing is pulled from it. */
  readonly blocked?: boolean;
  /** PEM file with certificates that are trusted for it besides the machine's. */
  readonly ca?: string;
}

/** A further socket, limited to a role. */
export interface SocketOptions {
  readonly role: "read-only" | "confined";
  /** `KEY=VALUE`: only what has this label is there. */
  readonly label?: string;
  /** Host directories that may be bind-mounted, exactly these. @default none */
  readonly mounts?: readonly string[];
  /** Repositories whose images may be named, `name` or `prefix/*`. @default none */
  readonly images?: readonly string[];
  /** @default NAME.sock in the run-time directory */
  readonly path?: string;
  readonly group?: string;
}

/** `/etc/boxship/config.yaml`. Every field is optional; an unknown one is an error. */
export interface ConfigFile {
  readonly root?: string;
  readonly group?: string;
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** `crun`, `runc`, or the name of an entry of {@link runtimes}. @default the fastest that works */
  readonly defaultRuntime?: string;
  /** Further OCI runtimes: name to path. */
  readonly runtimes?: Readonly<Record<string, string>>;
  /** File that says which images may be pulled (containers-policy.json(5)). @default the user's or the machine's */
  readonly policy?: string;
  /** By registry host, as in an image's name. */
  readonly registries?: Readonly<Record<string, RegistryOptions>>;
  /**
   * Serves the engine's images as a registry, and takes up what is pushed to it. Every user of this machine can reach it.
   */
  readonly registry?: {
    /** A loopback address with a port: `127.0.0.1:5000`. */
    readonly listen: string;
  };
  /** Where new networks take their subnets from. */
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[];
  /** Where networks with the driver `cni` have their configurations and plugins. */
  readonly cni?: { readonly configurations?: string; readonly plugins?: readonly string[] };
  /**
   * A user namespace for containers, in Docker's words: `default`, `USER` or `USER:GROUP`, whose ranges in `/etc/subuid` and
   * `/etc/subgid` are the containers' ids.
   */
  readonly usernsRemap?: string;
  /** What mounts the file systems of containers: `overlay2` or `fuse-overlayfs`. */
  readonly storageDriver?: StorageDriver;
  /** Where device specifications (CDI) are looked for. */
  readonly cdi?: { readonly directories?: readonly string[] };
  /** Further sockets by name. */
  readonly sockets?: Readonly<Record<string, SocketOptions>>;
  /** Write every call that may change something to a log; its presence is enough. */
  readonly audit?: {
    /** @default audit.log in the directory of the state */
    readonly path?: string;
    /** In bytes. @default 16 MiB */
    readonly maxSize?: number;
    /** The current one included. @default 5 */
    readonly maxFiles?: number;
  };
  /** Defaults of container logs. */
  readonly log?: { readonly maxSize?: string; readonly maxFile?: number; readonly journalSocket?: string };
}

type Check = (value: unknown, at: string) => void;

function fail(at: string, expected: string): never {
  throw new InvalidArgument(`configuration: ${at} must be ${expected}`, {
    subject: { kind: "configuration", name: at },
  });
}

const text: Check = (value, at) => {
  if (typeof value !== "string" || value === "") fail(at, "a text");
};
const absolutePath: Check = (value, at) => {
  if (typeof value !== "string" || !value.startsWith("/")) fail(at, "an absolute path");
};
const size: Check = (value, at) => {
  if (typeof value !== "string" || !/^(?:-1|\d+(?:\.\d+)? ?[kmgtp]?i?b?)$/i.test(value)) fail(at, "a size such as 20m");
};
const flag: Check = (value, at) => {
  if (typeof value !== "boolean") fail(at, "true or false");
};
const count: Check = (value, at) => {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) fail(at, "a whole number above 0");
};
const storageDriver: Check = (value, at) => {
  if (!STORAGE_DRIVERS.some((known) => known === value)) fail(at, STORAGE_DRIVERS.join(" or "));
};
const list =
  (item: Check): Check =>
  (value, at) => {
    if (!Array.isArray(value)) fail(at, "a list");
    for (const [index, entry] of value.entries()) item(entry, `${at}[${index}]`);
  };
const map =
  (item: Check): Check =>
  (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) fail(at, "a map");
    for (const [key, entry] of Object.entries(value)) item(entry, `${at}.${key}`);
  };
const fields =
  (known: Readonly<Record<string, Check>>): Check =>
  (value, at) => {
    map(() => {})(value, at === "" ? "the file" : at);
    for (const [key, entry] of Object.entries(value as object)) {
      const check = known[key];
      const path = at === "" ? key : `${at}.${key}`;
      if (check === undefined) fail(path, `left out: it is not known here (known: ${Object.keys(known).join(", ")})`);
      check(entry, path);
    }
  };

const mirror: Check = (value, at) => {
  text(value, at);
  const url = String(value).includes("://") ? String(value) : `https://${String(value)}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) fail(at, "HOST[:PORT] or an http(s) address");
};
const registries: Check = (value, at) => {
  map(fields({ mirrors: list(mirror), insecure: flag, blocked: flag, ca: absolutePath }))(value, at);
  for (const host of Object.keys(value as object)) {
    if (/\s|:\/\//.test(host)) fail(`${at}.${host}`, "named as in an image's name, HOST[:PORT]");
  }
};

const checkFile = fields({
  root: absolutePath,
  group: text,
  logLevel: text,
  defaultRuntime: text,
  runtimes: map(absolutePath),
  registries,
  policy: absolutePath,
  registry: fields({ listen: text }),
  addressPools: list(fields({ base: text, size: count })),
  cni: fields({ configurations: absolutePath, plugins: list(absolutePath) }),
  usernsRemap: text,
  storageDriver,
  cdi: fields({ directories: list(absolutePath) }),
  log: fields({ maxSize: size, maxFile: count, journalSocket: absolutePath }),
  sockets: map(
    fields({ role: text, label: text, mounts: list(text), images: list(text), path: absolutePath, group: text }),
  ),
  audit: fields({ path: absolutePath, maxSize: count, maxFiles: count }),
});

/**
 * Reads the configuration file.
 *
 * @param path where the user says it is; absent: the default place, where it may be missing
 * @throws InvalidArgument naming the file and what is wrong in it
 */
export function readConfigFile(path: string | undefined): ConfigFile {
  const file = path ?? DEFAULT_PATH;
  let source: string;
  try {
    source = readFileSync(file, "utf8");
  } catch (error) {
    if (path === undefined && systemCode(error) === "ENOENT") return {};
    throw new InvalidArgument(`cannot read the configuration file ${file}: ${errorMessage(error)}`, { cause: error });
  }
  return parseConfig(source, file);
}

/**
 * The registries with their certificates instead of the names of the files.
 *
 * @throws InvalidArgument naming the file that cannot be read or has none
 */
export function withCertificates(
  configured: Readonly<Record<string, RegistryOptions>>,
): Readonly<Record<string, RegistryOptions>> {
  const read = ([host, { ca: file, ...options }]: readonly [string, RegistryOptions]) =>
    [host, file === undefined ? options : { ...options, ca: readCertificates(`registries.${host}.ca`, file) }] as const;
  return Object.fromEntries(Object.entries(configured).map(read));
}

function readCertificates(at: string, file: string): string {
  try {
    const certificates = readFileSync(file, "utf8");
    const pem = certificates.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
    // The constructor throws for what is none.
    if (pem.map((each) => new X509Certificate(each)).length > 0) return certificates;
  } catch (error) {
    throw new InvalidArgument(`configuration: ${at} cannot be used: ${file}: ${errorMessage(error)}`, { cause: error });
  }
  return fail(at, `a file with PEM certificates, which ${file} is not`);
}

/** @throws InvalidArgument */
export function parseConfig(source: string, file: string): ConfigFile {
  let parsed: unknown;
  try {
    parsed = load(source) ?? {};
  } catch (error) {
    throw new InvalidArgument(`${file} is not valid YAML: ${errorMessage(error)}`, { cause: error });
  }
  checkFile(parsed, "");
  const { registry } = parsed as ConfigFile;
  if (registry !== undefined) loopbackAddress(registry.listen ?? "");
  for (const [name, socket] of Object.entries((parsed as ConfigFile).sockets ?? {})) parseRole({ name, ...socket });
  return parsed as ConfigFile;
}
