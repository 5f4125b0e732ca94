import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@boxship/base";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base/errors";
import type { LayerInfo } from "../contract.ts";

/** A container's record: which chain its writable layer lies on. */
export interface ContainerRecord {
  readonly id: string;
  readonly parentChainId: string | undefined;
  /** Most bytes of the writable layer. */
  readonly sizeLimit?: number;
  /** Who keeps a record of it, when that is not the engine. */
  readonly owner?: string;
}

const CHAIN_ID = /^(sha256):([0-9a-f]{64})$|^(sha512):([0-9a-f]{128})$/;
const CONTAINER_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,190}$/;

/** The directory name of a layer. Throws `InvalidArgument` for what is no chain id. */
export function layerDirectoryName(chainId: string): string {
  const match = CHAIN_ID.exec(chainId);
  if (match === null) throw new InvalidArgument(`${JSON.stringify(chainId)} is not a chain id`);
  return chainId.replace(":", "-");
}

/** Throws `InvalidArgument` for an id that could not be a directory's name. */
export function checkContainerId(id: string): string {
  if (!CONTAINER_ID.test(id)) throw new InvalidArgument(`${JSON.stringify(id)} is not a container id`);
  return id;
}

export const RECORD_FILE = "record.json";

/** The records below a directory by directory name; directories without a readable one are reported as broken. */
export function readRecords<T>(
  directory: string,
  parse: (value: unknown, name: string) => T | undefined,
  logger: Logger,
): { readonly records: T[]; readonly broken: string[] } {
  const records: T[] = [];
  const broken: string[] = [];
  for (const name of readdirSync(directory)) {
    const path = join(directory, name, RECORD_FILE);
    let record: T | undefined;
    let reason = "its record is malformed";
    try {
      record = parse(JSON.parse(readFileSync(path, "utf8")), name);
    } catch (error) {
      if (systemCode(error) !== undefined && systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR")
        throw error;
      reason = errorMessage(error);
    }
    if (record === undefined) {
      logger.error("stored data is not readable and is left out", { path: join(directory, name), reason });
      broken.push(join(directory, name));
    } else records.push(record);
  }
  return { records, broken };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

export function parseLayer(value: unknown, name: string): LayerInfo | undefined {
  const { chainId, parentChainId, size, created } = fields(value);
  if (typeof chainId !== "string" || typeof size !== "number" || typeof created !== "number") return undefined;
  if (!CHAIN_ID.test(chainId) || layerDirectoryName(chainId) !== name) return undefined;
  if (parentChainId !== undefined && (typeof parentChainId !== "string" || !CHAIN_ID.test(parentChainId)))
    return undefined;
  return { chainId, parentChainId, size, created };
}

export function parseContainer(value: unknown, name: string): ContainerRecord | undefined {
  const { id, parentChainId, sizeLimit, owner } = fields(value);
  if (id !== name || (parentChainId !== undefined && typeof parentChainId !== "string")) return undefined;
  if (sizeLimit !== undefined && typeof sizeLimit !== "number") return undefined;
  return {
    id: name,
    parentChainId,
    ...(sizeLimit === undefined ? {} : { sizeLimit }),
    ...(typeof owner === "string" ? { owner } : {}),
  };
}
