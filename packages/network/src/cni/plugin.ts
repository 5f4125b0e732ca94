import { join } from "node:path";
import {
  type Clock,
  FailedPrecondition,
  InvalidArgument,
  isExecutable,
  NotFound,
  SYSTEM_PATH,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import type { JsonObject } from "./configuration.ts";

/** Running one plugin (CNI specification 1.1, section 2). */

export type CniCommand = "ADD" | "DEL" | "CHECK" | "STATUS" | "VERSION" | "GC";

/** What is attached, where and how. */
export interface CniAttachment {
  readonly containerId: string;
  /** A kept namespace; empty when it is gone. */
  readonly namespace: string;
  readonly interfaceName: string;
  /** Values for plugins that declare the capability, such as `portMappings`, `ips` and `mac`. */
  readonly capabilities: JsonObject;
  /** Further `KEY=value`s. */
  readonly args: Readonly<Record<string, string>>;
}

export interface PluginHost {
  /** Where programs are looked for, first to last. */
  readonly directories: readonly string[];
  readonly clock: Clock;
}

const TIMEOUT = 60_000;

/** The program of a plugin. Throws {@link NotFound}. */
export function findPlugin(type: string, directories: readonly string[]): string {
  const found = directories.map((directory) => join(directory, type)).find(isExecutable);
  if (found !== undefined) return found;
  throw new NotFound(`there is no CNI plugin ${type} in ${directories.join(", ")}`, {
    subject: { kind: "CNI plugin", name: type },
    remedy: "install it (Debian: containernetworking-plugins), or configure the directory that it is in",
  });
}

/** Runs a plugin and returns what it prints; undefined for nothing. Throws what the plugin reports, by its code. */
export async function runPlugin(
  host: PluginHost,
  command: CniCommand,
  configuration: JsonObject,
  attachment?: CniAttachment,
): Promise<JsonObject | undefined> {
  const type = String(configuration["type"]);
  const { code, signal, stdout, stderr } = await runProcess({
    file: findPlugin(type, host.directories),
    env: environment(host, command, attachment),
    input: JSON.stringify(configuration),
    timeout: TIMEOUT,
    clock: host.clock,
  });
  const output = stdout.toString("utf8").trim();
  const printed = parseOutput(output);
  if (code === 0) return printed;
  throw pluginError(type, command, printed, signal === undefined ? output || stderr.toString("utf8").trim() : signal);
}

function environment(
  { directories }: PluginHost,
  command: CniCommand,
  attachment: CniAttachment | undefined,
): Record<string, string> {
  const args = Object.entries(attachment?.args ?? {}).map(([key, value]) => `${key}=${value}`);
  return {
    PATH: SYSTEM_PATH,
    CNI_COMMAND: command,
    CNI_PATH: directories.join(":"),
    ...(attachment === undefined
      ? {}
      : {
          CNI_CONTAINERID: attachment.containerId,
          CNI_NETNS: attachment.namespace,
          CNI_IFNAME: attachment.interfaceName,
          CNI_ARGS: args.join(";"),
        }),
  };
}

function parseOutput(output: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(output);
    return typeof parsed === "object" && parsed !== null ? (parsed as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Codes below 100 are the specification's. */
const CODE = { incompatibleVersion: 1, unsupportedField: 2, invalidConfiguration: 7, tryAgain: 11 } as const;

function pluginError(type: string, command: CniCommand, printed: JsonObject | undefined, output: string): Error {
  const { code, msg, details } = printed ?? {};
  const explanation = [msg ?? (output === "" ? "it said nothing" : output), details].filter(Boolean).join(": ");
  const message = `CNI plugin ${type} failed at ${command}: ${explanation}`;
  const subject = { kind: "CNI plugin", name: type };
  switch (code) {
    case CODE.incompatibleVersion:
    case CODE.unsupportedField:
      return new Unsupported(message, { subject });
    case CODE.invalidConfiguration:
      return new InvalidArgument(message, { subject });
    case CODE.tryAgain:
      return new Unavailable(message, { subject, remedy: "try again in a moment" });
    default:
      return new FailedPrecondition(message, { subject });
  }
}
