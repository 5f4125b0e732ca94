import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AlreadyExists } from "@boxship/base";
import { type ImageName, parseImageName } from "../transport/image-name.ts";

export interface SyncDestination {
  readonly transport: "docker" | "dir";
  /** Registry with an optional path, or a directory. */
  readonly root: string;
  /** Keep the whole path of an image instead of its last part. @default false */
  readonly scoped?: boolean;
}

/** Where an image goes. @throws AlreadyExists for a directory that is there */
export async function syncDestination({ transport, root, scoped }: SyncDestination, path: string): Promise<ImageName> {
  const place = join(root, scoped === true ? path : basename(path));
  if (transport === "docker") return parseImageName(`docker://${place}`);
  if (existsSync(place)) {
    throw new AlreadyExists(`Refusing to overwrite destination directory ${JSON.stringify(place)}`, {
      subject: { kind: "directory", name: place },
    });
  }
  await mkdir(dirname(place), { recursive: true });
  return { transport: "dir", path: place };
}
