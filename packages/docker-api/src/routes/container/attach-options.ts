import type { AttachOptions } from "@boxship/engine";
import { flag, text } from "../../http/query.ts";

/** Query of `attach`. */
export function attachOptions(query: URLSearchParams): AttachOptions {
  const detachKeys = text(query, "detachKeys");
  return {
    stdin: flag(query, "stdin"),
    stdout: flag(query, "stdout"),
    stderr: flag(query, "stderr"),
    logs: flag(query, "logs"),
    stream: flag(query, "stream"),
    ...(detachKeys === undefined ? {} : { detachKeys }),
  };
}
