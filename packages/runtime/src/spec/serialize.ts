/** 2^64 - 1: how the specification says "unlimited" in a limit. */
const UNLIMITED = "18446744073709551615";

/** A spec or process as JSON. Integers that a double cannot hold are written exactly. */
export function serializeOci(value: unknown): string {
  return JSON.stringify(value, (key, field: unknown) => {
    if (typeof field === "bigint") return rawJson(String(field));
    if (field === -1 && (key === "soft" || key === "hard")) return rawJson(UNLIMITED);
    // As a double such a number ends in zeros that may lie beyond what the specification's types hold.
    if (typeof field === "number" && field > Number.MAX_SAFE_INTEGER) return rawJson(exact(field, key));
    return field;
  });
}

const LONGEST_SIGNED = 2n ** 63n - 1n;
const LONGEST_UNSIGNED = 2n ** 64n - 1n;

function exact(value: number, key: string): string {
  const longest = key === "rate" || key === "soft" || key === "hard" ? LONGEST_UNSIGNED : LONGEST_SIGNED;
  const whole = BigInt(value);
  return String(whole < longest ? whole : longest);
}

function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
