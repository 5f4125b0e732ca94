import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { systemCode } from "@boxship/base/errors";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { describeFileError } from "./system-error.ts";

const PIECE = 1 << 20;

/** An archive to be sent: a file, or with `-` standard input. @throws Failure for a file that cannot be opened */
export async function archiveInput(context: Context, path: string): Promise<Readable> {
  if (path === "-") return context.stdin;
  try {
    return createReadStream(path, { fd: await open(path), highWaterMark: PIECE });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new Failure(describeFileError("open", path, error), { cause: error });
  }
}
