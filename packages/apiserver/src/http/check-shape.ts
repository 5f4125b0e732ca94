import { badRequest, failure, MOST_FIELDS, MOST_OBJECTS } from "@boxship/api";
import { LARGEST_OBJECT, tooLarge } from "../storage/object-bytes.ts";

/** Levels of nesting that a body may have: deeper values would overflow the stack of whoever walks over them. */
const DEEPEST = 1000;

/**
 * Looks over a JSON text before anything is made of it, which would take far longer.
 *
 * @throws BadRequest for one that is too deep, RequestEntityTooLarge for an object that could not be kept
 */
export function checkShape(text: string): void {
  // Of each level, how many commas there are; arrays may have any number.
  const fields = new Float64Array(DEEPEST + 2);
  let [depth, size, objects] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20) continue;
    size++;
    if (code === 0x22) {
      const end = endOfString(text, at);
      size += end.size;
      at = end.at;
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > DEEPEST) throw badRequest("error decoding the body: exceeded max depth");
      if (code === 0x7b && ++objects > MOST_OBJECTS)
        throw failure(
          "RequestEntityTooLarge",
          `Request entity too large: there are more than ${MOST_OBJECTS} objects in it`,
        );
      fields[depth] = code === 0x7b ? 0 : Number.NEGATIVE_INFINITY;
    } else if (code === 0x7d || code === 0x5d) depth = Math.max(0, depth - 1);
    else if (code === 0x2c && (fields[depth] = (fields[depth] ?? 0) + 1) > MOST_FIELDS) {
      throw failure("RequestEntityTooLarge", `Request entity too large: an object has more than ${MOST_FIELDS} fields`);
    }
  }
  if (size > LARGEST_OBJECT) throw tooLarge(size);
}

/** @returns where it ends, and the least that it takes in bytes: an escape is one */
function endOfString(text: string, start: number): { readonly at: number; readonly size: number } {
  let size = 0;
  let at = start + 1;
  for (; at < text.length; at++, size++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) break;
    if (code === 0x5c) at += text.charCodeAt(at + 1) === 0x75 ? 5 : 1;
  }
  return { at, size: size + 1 };
}
