import type { ArgInstruction, Containerfile, Place } from "../language/index.ts";
import { placed } from "../solver/steps/metadata.ts";
import { expandKnown } from "./variables.ts";

/** An argument that a build can be given. */
export interface ArgInfo {
  readonly name: string;
  readonly value: string;
  readonly description: string | undefined;
  readonly place: Place;
  /** Arguments that its default names. */
  readonly needs: ReadonlySet<string>;
}

export interface GlobalArgs {
  /** Those of the platform among them. */
  readonly values: ReadonlyMap<string, string>;
  readonly infos: ReadonlyMap<string, ArgInfo>;
}

/**
 * The arguments before the first `FROM`.
 *
 * @param builtIn those that every file has
 * @param given of the build; none for the defaults alone
 */
export function readGlobalArgs(
  file: Containerfile,
  builtIn: ReadonlyMap<string, string>,
  given: Readonly<Record<string, string | undefined>>,
): GlobalArgs {
  const values = new Map(builtIn);
  for (const name of builtIn.keys()) {
    const value = valueOf(given, name);
    if (value !== undefined) values.set(name, value);
  }
  const infos = new Map<string, ArgInfo>();
  for (const instruction of file.args) {
    for (const arg of instruction.args) addArg(instruction, arg, { values, infos, given, escape: file.escape });
  }
  return { values, infos };
}

function addArg(
  instruction: ArgInstruction,
  { name, value: written, comment }: ArgInstruction["args"][number],
  known: {
    readonly values: Map<string, string>;
    readonly infos: Map<string, ArgInfo>;
    readonly given: Readonly<Record<string, string | undefined>>;
    readonly escape: "\\" | "`";
  },
): void {
  let value = valueOf(known.given, name);
  let needs: ReadonlySet<string> = new Set();
  if (value === undefined && written !== undefined) {
    const expanded = placed(instruction, () => expandKnown(written, known.values, known.escape));
    value = expanded.text;
    const own = new Set(expanded.found);
    // `ARG A=$A-x` needs what the one before it needs.
    if (own.delete(name)) for (const other of known.infos.get(name)?.needs ?? []) own.add(other);
    needs = own;
  }
  if (value !== undefined) known.values.set(name, value);
  known.infos.set(name, { name, value: value ?? "", description: comment, place: instruction.place, needs });
}

/** What a build was given for an argument. */
export function valueOf(given: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return Object.hasOwn(given, name) ? given[name] : undefined;
}
