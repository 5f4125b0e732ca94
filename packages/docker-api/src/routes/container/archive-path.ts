import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";

/** The path that the archive endpoints are about. */
export function archivePath(query: URLSearchParams): string {
  const path = text(query, "path");
  if (path === undefined) throw new InvalidArgument("bad parameter: path cannot be empty");
  return path;
}
