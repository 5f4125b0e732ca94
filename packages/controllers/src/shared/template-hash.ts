import { isObject, type Json } from "@boxship/api";

/** No vowels, and no digits that look like letters: no word comes about by chance. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** JSON with fields in the order of their names, without those that are not there. */
function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const fields = Object.keys(value)
    .filter((field) => value[field] !== undefined)
    .sort()
    .map((field) => `${JSON.stringify(field)}:${canonical(value[field])}`);
  return `{${fields.join(",")}}`;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** A number in letters that are safe in names. */
export function safeEncode(text: string): string {
  return text.replaceAll(/./gs, (char) => ALPHABET[char.charCodeAt(0) % ALPHABET.length] ?? "");
}

/**
 * The hash that names carry: FNV-1a in 32 bits of the value and, where two different ones met before, of how often. The
 * same value has the same hash in every process; it is not the one that upstream computes, which is of a dump by Go.
 */
export function templateHash(value: Json, collisions = 0): string {
  return safeEncode(String(fnv1a(`${canonical(value)}${collisions === 0 ? "" : collisions}`)));
}
