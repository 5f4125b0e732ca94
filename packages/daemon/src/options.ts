import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { InvalidArgument, type LogLevel } from "@boxship/base";
import {
  DEFAULT_INSTANCE,
  INSTANCE_NAME_RULE,
  instanceDirectories,
  isInstanceName,
} from "@boxship/base/instance-directories";
import { STORAGE_DRIVERS, type StorageDriver } from "@boxship/storage";
import { type ConfigFile, readConfigFile } from "./config-file.ts";

/** Everything a daemon is started with; flags over environment over file. */
export interface DaemonOptions extends ConfigFile {
  /** Instance name: part of the names of bridges, nftables tables, cgroups and sockets. @default "boxship" */
  readonly name: string;
  /** Durable state. @default /var/lib/boxship, or /var/lib/boxship-NAME; see {@link instanceDirectories} for users */
  readonly root: string;
  /** Sockets, process id, mounts of namespaces. @default /run/boxship, or /run/boxship-NAME */
  readonly runDir: string;
  readonly logLevel: LogLevel;
  /** Group that may use the socket. @default boxship, where it exists */
  readonly group?: string;
  /** What connects the namespaces of an instance without root with the outside. @default "auto" */
  readonly rootlessNetwork: RootlessNetwork;
  /** Set by the launcher of an instance without root for the daemon inside its namespaces. */
  readonly insideRootless: boolean;
  /** Removes the instance, whether its state can be read or not, instead of serving it. */
  readonly reset: boolean;
}

/** `auto` takes pasta where it is installed, else slirp4netns; with `none` containers reach nothing outside. */
export type RootlessNetwork = (typeof ROOTLESS_NETWORKS)[number];

const ROOTLESS_NETWORKS = ["auto", "pasta", "slirp4netns", "none"] as const;
const LEVELS: readonly string[] = ["debug", "info", "warn", "error"] satisfies readonly LogLevel[];

/**
 * Reads flags, environment (`BOXSHIP_NAME`, `BOXSHIP_ROOT`, `BOXSHIP_RUN`, `BOXSHIP_LOG_LEVEL`, `BOXSHIP_GROUP`,
 * `BOXSHIP_CONFIG`, `BOXSHIP_ROOTLESS_NETWORK`, `BOXSHIP_USERNS_REMAP`) and the configuration file.
 *
 * @throws InvalidArgument naming the flag, variable or line
 */
export function parseDaemonOptions(argv: readonly string[], env: NodeJS.ProcessEnv): DaemonOptions {
  const flags = parseFlags(argv);
  const pick = (flag: string | undefined, variable: string) => flag ?? (env[variable] || undefined);
  const config = readConfigFile(pick(flags.config, "BOXSHIP_CONFIG"));
  const name = pick(flags.name, "BOXSHIP_NAME") ?? DEFAULT_INSTANCE;
  if (!isInstanceName(name)) {
    throw new InvalidArgument(`invalid instance name "${name}"`, { remedy: INSTANCE_NAME_RULE });
  }
  const level = pick(flags["log-level"], "BOXSHIP_LOG_LEVEL") ?? config.logLevel ?? "info";
  if (!LEVELS.includes(level)) {
    throw new InvalidArgument(`invalid log level "${level}"`, { remedy: `choose one of ${LEVELS.join(", ")}` });
  }
  const network = pick(flags["rootless-network"], "BOXSHIP_ROOTLESS_NETWORK") ?? "auto";
  const rootlessNetwork = ROOTLESS_NETWORKS.find((known) => known === network);
  if (rootlessNetwork === undefined) {
    throw new InvalidArgument(`invalid network "${network}" for an instance without root`, {
      remedy: `choose one of ${ROOTLESS_NETWORKS.join(", ")}`,
    });
  }
  const defaults = instanceDirectories(name, { env });
  const group = pick(flags.group, "BOXSHIP_GROUP") ?? config.group;
  const usernsRemap = pick(flags["userns-remap"], "BOXSHIP_USERNS_REMAP") ?? config.usernsRemap;
  const storageDriver = pick(flags["storage-driver"], "BOXSHIP_STORAGE_DRIVER");
  return {
    ...config,
    name,
    root: resolve(pick(flags.root, "BOXSHIP_ROOT") ?? config.root ?? defaults.root),
    runDir: resolve(pick(flags["run-dir"], "BOXSHIP_RUN") ?? defaults.runDir),
    logLevel: level as LogLevel,
    rootlessNetwork,
    insideRootless: flags["inside-rootless"] === true,
    reset: flags.reset === true,
    ...(group === undefined ? {} : { group }),
    ...(usernsRemap === undefined ? {} : { usernsRemap }),
    ...(storageDriver === undefined ? {} : { storageDriver: storageDriverOf(storageDriver) }),
  };
}

function storageDriverOf(name: string): StorageDriver {
  const driver = STORAGE_DRIVERS.find((known) => known === name);
  if (driver !== undefined) return driver;
  throw new InvalidArgument(`invalid storage driver "${name}"`, { remedy: `choose ${STORAGE_DRIVERS.join(" or ")}` });
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        name: { type: "string" },
        root: { type: "string" },
        "run-dir": { type: "string" },
        "log-level": { type: "string" },
        group: { type: "string" },
        config: { type: "string" },
        "rootless-network": { type: "string" },
        "userns-remap": { type: "string" },
        "storage-driver": { type: "string" },
        "inside-rootless": { type: "boolean" },
        reset: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new InvalidArgument(error instanceof Error ? error.message : String(error), {
      remedy: "see 'boxship daemon --help'",
      cause: error,
    });
  }
}
