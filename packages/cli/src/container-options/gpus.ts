import { FlagError } from "../failure.ts";
import { cut, splitCsv } from "./csv.ts";

/** A request for devices, as the API has it. */
export interface DeviceRequest {
  readonly Driver: string;
  readonly Count: number;
  readonly DeviceIDs: readonly string[] | null;
  readonly Capabilities: readonly (readonly string[])[];
  readonly Options: Readonly<Record<string, string>>;
}

/** `--gpus`: `all`, a number, or `device=…,driver=…,count=…,capabilities=…,options=…`. @throws FlagError */
export function parseGpus(text: string): DeviceRequest {
  const seen = new Map<string, string>();
  for (const field of splitCsv(text)) {
    const [name, value] = cut(field);
    const [key, content] = value === undefined ? ["count", name] : [name, value];
    const known = value === undefined ? name : key;
    if (seen.has(known)) throw new FlagError(`gpu request key '${known}' can be specified only once`);
    if (!KEYS.has(key)) throw new FlagError(`unexpected key '${key}' in '${field}'`);
    seen.set(key, content);
  }
  const devices = seen.get("device")?.split(",") ?? null;
  const count = seen.get("count");
  return {
    Driver: seen.get("driver") ?? "",
    Count: count === undefined ? (devices === null ? 1 : 0) : parseCount(count),
    DeviceIDs: devices,
    Capabilities: [[...(seen.get("capabilities")?.split(",") ?? []), "gpu"]],
    Options: optionsOf(seen.get("options")),
  };
}

const KEYS: ReadonlySet<string> = new Set(["driver", "count", "device", "capabilities", "options"]);

function parseCount(text: string): number {
  if (text === "all") return -1;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new FlagError(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`);
  }
  return Number(text);
}

function optionsOf(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined) return {};
  return Object.fromEntries(splitCsv(text).map((option) => [cut(option)[0], cut(option)[1] ?? ""]));
}
