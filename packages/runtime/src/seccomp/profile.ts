import { errorMessage, InvalidArgument } from "@boxship/base";
import type { OciSeccompArgument } from "../spec/oci.ts";

/** A condition of a rule; every list that is given must hold. */
export interface SeccompFilter {
  /** Go's names of architectures: one of them. */
  readonly arches?: readonly string[];
  /** As an `includes` all of them, as an `excludes` any. */
  readonly caps?: readonly string[];
  /** `major.minor` or later. */
  readonly minKernel?: string;
}

export interface SeccompProfileRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArgument[];
  readonly includes?: SeccompFilter;
  readonly excludes?: SeccompFilter;
}

export interface SeccompArchitectures {
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

/** A seccomp profile in the form of Docker's `--security-opt seccomp=FILE`, conditions not yet decided. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly SeccompArchitectures[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly SeccompProfileRule[];
}

const ACTIONS: ReadonlySet<string> = new Set(
  "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY".split(" ").map((name) => `SCMP_ACT_${name}`),
);
const OPERATORS: ReadonlySet<string> = new Set(
  "NE LT LE EQ GE GT MASKED_EQ".split(" ").map((name) => `SCMP_CMP_${name}`),
);

/**
 * Reads a profile. Both forms of a rule are taken: `names` with a list, and the older `name`.
 *
 * @throws InvalidArgument what it says of the profile begins with `decoding seccomp profile failed`
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  let document: unknown;
  try {
    document = JSON.parse(text, exactIntegers);
  } catch (error) {
    throw new InvalidArgument(`decoding seccomp profile failed: ${errorMessage(error)}`, { cause: error });
  }
  const root = object(document, "the profile");
  if (
    root["architectures"] != null &&
    root["archMap"] != null &&
    list(root["architectures"], "architectures").length > 0
  ) {
    refuse("use either 'architectures' or 'archMap', not both");
  }
  return {
    defaultAction: action(root["defaultAction"], "defaultAction"),
    ...optional("defaultErrnoRet", root["defaultErrnoRet"], integer),
    ...optional("architectures", root["architectures"], strings),
    ...optional("archMap", root["archMap"], (value, where) => list(value, where).map(architectures)),
    ...optional("flags", root["flags"], strings),
    ...optional("listenerPath", root["listenerPath"], string),
    ...optional("listenerMetadata", root["listenerMetadata"], string),
    syscalls: list(root["syscalls"] ?? [], "syscalls").map(rule),
  };
}

/** Values of arguments are 64 bits wide: those that a double cannot hold become bigints. */
function exactIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}

function refuse(reason: string): never {
  throw new InvalidArgument(`decoding seccomp profile failed: ${reason}`);
}

function rule(value: unknown, index: number): SeccompProfileRule {
  const where = `syscalls[${index}]`;
  const given = object(value, where);
  const hasName = given["name"] != null && given["name"] !== "";
  const many = given["names"] == null ? [] : strings(given["names"], `${where}.names`);
  if (hasName && many.length > 0) refuse(`${where}: use either 'name' or 'names', not both`);
  const names = hasName ? [string(given["name"], `${where}.name`)] : many;
  return {
    names,
    action: action(given["action"], `${where}.action`),
    ...optional("errnoRet", given["errnoRet"], (field) => integer(field, `${where}.errnoRet`)),
    ...optional("args", given["args"], (field) =>
      list(field, `${where}.args`).map((entry, position) => argument(entry, `${where}.args[${position}]`)),
    ),
    ...optional("includes", given["includes"], (field) => filter(field, `${where}.includes`)),
    ...optional("excludes", given["excludes"], (field) => filter(field, `${where}.excludes`)),
  };
}

function argument(value: unknown, where: string): OciSeccompArgument {
  const given = object(value, where);
  const op = string(given["op"], `${where}.op`);
  if (!OPERATORS.has(op)) refuse(`${where}.op: unknown operator ${op}`);
  const index = integer(given["index"], `${where}.index`);
  if (index < 0 || index > 5) refuse(`${where}.index: ${index} is not an argument of a system call`);
  return {
    index,
    value: wide(given["value"] ?? 0, `${where}.value`),
    ...optional("valueTwo", given["valueTwo"], (field) => wide(field, `${where}.valueTwo`)),
    op,
  };
}

function filter(value: unknown, where: string): SeccompFilter {
  const given = object(value, where);
  return {
    ...optional("arches", given["arches"], (field) => strings(field, `${where}.arches`)),
    ...optional("caps", given["caps"], (field) => strings(field, `${where}.caps`)),
    ...optional("minKernel", given["minKernel"], (field) => {
      const version = string(field, `${where}.minKernel`);
      if (!/^\d+\.\d+$/.test(version)) refuse(`${where}.minKernel: ${version} is not MAJOR.MINOR`);
      return version;
    }),
  };
}

function architectures(value: unknown, index: number): SeccompArchitectures {
  const given = object(value, `archMap[${index}]`);
  return {
    architecture: string(given["architecture"], `archMap[${index}].architecture`),
    subArchitectures: given["subArchitectures"] == null ? [] : strings(given["subArchitectures"], `archMap[${index}]`),
  };
}

function action(value: unknown, where: string): string {
  const name = string(value, where);
  if (!ACTIONS.has(name)) refuse(`${where}: unknown action ${name}`);
  return name;
}

function optional<Name extends string, Value>(
  name: Name,
  value: unknown,
  read: (value: unknown, where: string) => Value,
): { readonly [Key in Name]?: Value } {
  if (value == null) return {};
  return { [name]: read(value, name) } as { readonly [Key in Name]?: Value };
}

function object(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(`${where} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, where: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(`${where} is not a list`);
}

function string(value: unknown, where: string): string {
  return typeof value === "string" ? value : refuse(`${where} is not a string`);
}

function strings(value: unknown, where: string): readonly string[] {
  return list(value, where).map((entry) => string(entry, where));
}

function integer(value: unknown, where: string): number {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : refuse(`${where} is not an integer`);
}

function wide(value: unknown, where: string): number | bigint {
  return typeof value === "bigint" ? value : integer(value, where);
}
