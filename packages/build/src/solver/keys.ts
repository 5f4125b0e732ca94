import { createHash } from "node:crypto";

/** A key over anything that JSON can hold. The same values in the same order give the same key. */
export function keyOf(...parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
