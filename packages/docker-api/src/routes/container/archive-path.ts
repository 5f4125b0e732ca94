import { InvalidArgument, NotFound } from "@boxship/base";
import { text } from "../../http/query.ts";

/** The path that the archive endpoints are about. */
export function archivePath(query: URLSearchParams): string {
  const path = text(query, "path");
  if (path === undefined) throw new InvalidArgument("bad parameter: path cannot be empty");
  return path;
}

/** Clients look for Docker's words when a path is not in the container. */
export async function namingContainer<T>(ref: string, path: string, task: Promise<T>): Promise<T> {
  try {
    return await task;
  } catch (error) {
    if (!(error instanceof NotFound) || error.subject?.kind === "container") throw error;
    throw new NotFound(`Could not find the file ${path} in container ${ref}`, { cause: error });
  }
}
