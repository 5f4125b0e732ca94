import { isObject, type Json, parseJson, valueAt } from "@boxship/api";
import { freeze } from "../informer/freeze.ts";

/** Lines that are remembered: informers of one process are told the same in nearly the same moment. */
const MOST = 256;
/** Longer ones are rare, and remembering them would take much memory. */
const LONGEST = 16 * 1024;

const known = new Map<string, Json>();

/** An event of a watch as a frozen value, without its object's `managedFields`; the same one for all who read it at about the same time. */
export function readSharedLine(line: string): Json {
  const found = known.get(line);
  if (found !== undefined) return found;
  const value = parseJson(line);
  const metadata = valueAt(value, "object", "metadata");
  // As informers have objects.
  if (isObject(metadata)) delete metadata["managedFields"];
  freeze(value);
  if (line.length > LONGEST) return value;
  known.set(line, value);
  if (known.size > MOST) {
    const [oldest = ""] = known.keys();
    known.delete(oldest);
  }
  return value;
}
