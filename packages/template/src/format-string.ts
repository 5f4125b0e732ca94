import { type Flags, pad, truncate } from "./format-flags.ts";
import { quote } from "./quote.ts";

/** Bytes as `%x` prints them: `0x` before all or, with a space, before each. */
function formatHex(bytes: Uint8Array, verb: string, flags: Flags): string {
  const shown = flags.precision === undefined ? bytes : bytes.subarray(0, flags.precision);
  const pairs = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0"));
  if (pairs.length === 0) return pad("", flags);
  const prefix = flags.sharp ? "0x" : "";
  const text = flags.space ? pairs.map((pair) => prefix + pair).join(" ") : prefix + pairs.join("");
  return pad(verb === "X" ? text.toUpperCase() : text, flags);
}

function formatQuoted(text: string, flags: Flags): string {
  const shown = truncate(text, flags);
  const rawable = flags.sharp && !/[`\p{Cc}\ufeff]/u.test(shown.replaceAll("\t", ""));
  return pad(rawable ? `\`${shown}\`` : quote(shown, flags.plus), flags);
}

/** A string by verb, or undefined for a verb that strings do not know. */
export function formatString(text: string, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case "v":
      return flags.sharpV ? formatQuoted(text, flags) : pad(truncate(text, flags), flags);
    case "s":
      return pad(truncate(text, flags), flags);
    case "x":
    case "X":
      return formatHex(Buffer.from(text), verb, flags);
    case "q":
      return formatQuoted(text, flags);
    default:
      return undefined;
  }
}

/** Bytes by the verbs that treat them as text, or undefined for the others. */
export function formatBytes(bytes: Uint8Array, verb: string, flags: Flags): string | undefined {
  if (verb === "x" || verb === "X") return formatHex(bytes, verb, flags);
  return verb === "s" || verb === "q" ? formatString(Buffer.from(bytes).toString(), verb, flags) : undefined;
}
