/** 2^64 - 1: how the specification says "unlimited" in a limit. */
const UNLIMITED = "18446744073709551615";

/** A spec or process as JSON. Integers that a double cannot hold are written exactly. */
export function serializeOci(value: unknown): string {
  return JSON.stringify(value, (key, field: unknown) => {
    if (typeof field === "bigint") return rawJson(String(field));
    if (field === -1 && (key === "soft" || key === "hard")) return rawJson(UNLIMITED);
    return field;
  });
}

function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
