import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@boxship/base";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base/errors";
import { parseVolumeOptions, type VolumeMount } from "./volume-options.ts";

export interface VolumeInfo {
  readonly name: string;
  readonly driver: "local";
  /** Directory that is bound into containers. */
  readonly mountpoint: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** A volume as the store keeps it. */
export interface Volume extends VolumeInfo {
  /** Its own directory. */
  readonly directory: string;
  /** What its options mount on the mountpoint, if anything. */
  readonly mount: VolumeMount | undefined;
  /** Containers that have it mounted. */
  readonly users: Set<string>;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const LONGEST_NAME = 255;

/** @throws InvalidArgument for a name that Docker would refuse */
export function checkVolumeName(name: string): void {
  if (NAME.test(name) && name.length <= LONGEST_NAME) return;
  const subject = { kind: "volume", name };
  if (name.length < 2) {
    throw new InvalidArgument(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
      { subject },
    );
  }
  if (name.length > LONGEST_NAME) {
    throw new InvalidArgument(`create ${name.slice(0, 40)}…: a volume name has at most ${LONGEST_NAME} characters`, {
      subject,
    });
  }
  throw new InvalidArgument(
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    { subject },
  );
}

export const VOLUME_RECORD = "volume.json";
export const DATA = "_data";
/** The file system of a volume with a limit. */
export const IMAGE = "image";
/** Holds a directory per snapshot. */
export const SNAPSHOTS = "snapshots";
/** Holds an empty file per container that has the volume mounted. */
export const USERS = "users";
/** Exists while an empty volume is being filled. */
export const FILLING = "filling";

function strings(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.values(value).every((item) => typeof item === "string") ? (value as Record<string, string>) : undefined;
}

/** The volume in a directory. @returns undefined when there is none, which is logged unless the record is just absent */
export function readVolume(root: string, name: string, logger: Logger): Volume | undefined {
  const directory = join(root, name);
  try {
    const value = JSON.parse(readFileSync(join(directory, VOLUME_RECORD), "utf8")) as Readonly<Record<string, unknown>>;
    const [labels, options] = [strings(value["labels"]), strings(value["options"])];
    const { created } = value;
    // The name in it is that at the time of creation.
    if (
      typeof value["name"] !== "string" ||
      labels === undefined ||
      options === undefined ||
      typeof created !== "number"
    ) {
      throw new InvalidArgument("its record is malformed");
    }
    return {
      name,
      driver: "local",
      mountpoint: join(directory, DATA),
      created,
      labels,
      options,
      directory,
      mount: parseVolumeOptions(options),
      users: new Set(readdirSync(join(directory, USERS))),
    };
  } catch (error) {
    if (systemCode(error) === "ENOTDIR") return undefined;
    logger.error("volume cannot be read and is left alone", { volume: name, directory, reason: errorMessage(error) });
    return undefined;
  }
}
