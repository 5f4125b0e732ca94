import { readFileSync, writeFileSync } from "node:fs";
import { Internal, systemCode } from "@boxship/base";
import type { Layout } from "./layout.ts";

/** What we need to know of a container after a restart of the daemon; written before conmon starts. */
export interface ContainerRecord {
  /** Name of the runtime, as in the options. */
  readonly runtime: string;
  readonly cgroupsPath: string;
  /** Absent in records of earlier versions. */
  readonly rootfs?: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** conmon closes standard input when a client goes away. */
  readonly stdinOnce: boolean;
  /** The command, for messages. */
  readonly command: string;
}

export function writeRecord(layout: Layout, id: string, record: ContainerRecord): void {
  writeFileSync(layout.bundleFile(id, "record.json"), JSON.stringify(record), { mode: 0o600 });
}

/** Undefined when there is none, or only the beginning of one: the container was never created then. */
export function readRecord(layout: Layout, id: string): ContainerRecord | undefined {
  const text = readSmallFile(layout.bundleFile(id, "record.json"));
  if (text === undefined || !text.endsWith("}")) return undefined;
  const value: unknown = parse(text, id);
  if (typeof value !== "object" || value === null || !("runtime" in value)) {
    throw new Internal(`record of container ${id} is not understood`);
  }
  return value as ContainerRecord;
}

function parse(text: string, id: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Internal(`record of container ${id} is not understood`, { cause });
  }
}

/** A small file's text, undefined when it does not exist. */
export function readSmallFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** A process id from a file that only holds one; undefined when it is absent or not complete. */
export function readPid(path: string): number | undefined {
  const pid = Number(readSmallFile(path)?.trim() ?? Number.NaN);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
