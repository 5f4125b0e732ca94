import { Turns } from "../turns.ts";
import { readDirectives } from "./directives.ts";
import type {
  ArgInstruction,
  Containerfile,
  FromInstruction,
  ParseWarning,
  Stage,
  StageInstruction,
} from "./instruction.ts";
import { type RawInstruction, readInstructions } from "./lines.ts";
import { type Parsed, parseInstruction } from "./parse-instruction.ts";
import { type Place, refuse, showLines } from "./source.ts";

export interface ParseOptions {
  /** The file's name for messages. */
  readonly name: string;
  /** The bytes of a file that `INCLUDE` names, by its path in the context; undefined when there is none. */
  readonly include?: (path: string) => Promise<Uint8Array | undefined>;
}

/** How deep `INCLUDE`s may be in each other. */
const DEEPEST = 16;

/**
 * Reads a Containerfile whole.
 *
 * @throws ContainerfileError with file, line and remedy for the first mistake
 */
export async function parseContainerfile(bytes: Uint8Array, options: ParseOptions): Promise<Containerfile> {
  const reader = new FileReader(options);
  try {
    return await readWhole(reader, bytes, options.name);
  } catch (error) {
    showLines(error, reader.sources);
    throw error;
  }
}

async function readWhole(reader: FileReader, bytes: Uint8Array, name: string): Promise<Containerfile> {
  await reader.read(name, bytes, []);
  const { directives } = reader;
  if (reader.stages.length === 0) {
    const place: Place = { file: name, lines: [1, 1] };
    refuse(
      place,
      reader.instructions === 0 ? "the Containerfile cannot be empty" : "no build stage in current context",
      "begin with FROM and the name of an image, or FROM scratch",
    );
  }
  return {
    args: reader.args,
    stages: reader.stages.map((stage, index) => ({ ...stage, index })),
    escape: directives?.escape ?? "\\",
    ...(directives?.syntax === undefined ? {} : { syntax: directives.syntax }),
    ...(directives?.check === undefined ? {} : { check: directives.check }),
    sources: reader.sources,
    warnings: reader.warnings,
  };
}

/** Reads the trigger that an image left for builds on top of it. */
export async function parseTrigger(trigger: string, image: string): Promise<StageInstruction> {
  const file = readInstructions(`ONBUILD of ${image}`, Buffer.from(trigger), { escape: "\\" });
  const instructions = [...file.instructions];
  const [raw] = instructions;
  const place: Place = { file: `ONBUILD of ${image}`, lines: [1, 1] };
  if (raw === undefined || instructions.length > 1) refuse(place, `malformed ONBUILD trigger: ${trigger}`);
  const parsed = parseInstruction(raw, "\\");
  if (parsed.kind === "from") refuse(place, "FROM isn't allowed as an ONBUILD trigger");
  return parsed;
}

class FileReader {
  readonly args: ArgInstruction[] = [];
  readonly stages: { from: FromInstruction; name: string | undefined; instructions: StageInstruction[] }[] = [];
  readonly sources = new Map<string, readonly string[]>();
  readonly warnings: ParseWarning[] = [];
  directives: ReturnType<typeof readDirectives> | undefined;
  instructions = 0;
  readonly #options: ParseOptions;
  readonly #turns = new Turns();

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  async read(name: string, bytes: Uint8Array, path: readonly string[]): Promise<void> {
    this.sources.set(name, Buffer.from(bytes).toString("utf8").split(/\r?\n/));
    const file = readInstructions(name, bytes);
    this.directives ??= file.directives;
    this.sources.set(name, file.lines);
    const instructions: RawInstruction[] = [];
    for (const raw of file.instructions) {
      if (this.#turns.over) await this.#turns.next();
      instructions.push(raw);
    }
    this.warnings.push(...file.warnings);
    for (const raw of instructions) {
      if (this.#turns.over) await this.#turns.next();
      this.instructions++;
      if (raw.keyword === "INCLUDE") await this.#include(raw, [...path, name]);
      else this.#add(parseInstruction(raw, file.directives.escape));
    }
  }

  async #include({ place, rest }: RawInstruction, path: readonly string[]): Promise<void> {
    const target = includedPath(rest, place);
    if (path.includes(target)) {
      refuse(place, `INCLUDE ${target} goes round in a circle: ${[...path, target].join(" → ")}`, "remove one INCLUDE");
    }
    if (path.length > DEEPEST) refuse(place, `INCLUDE is nested more than ${DEEPEST} deep`, "include fewer levels");
    const bytes = await this.#options.include?.(target);
    if (bytes === undefined) {
      refuse(place, `INCLUDE ${target}: no such file in the build context`, "check the path, and the ignore file");
    }
    await this.read(target, bytes, path);
  }

  #add(parsed: Parsed): void {
    if (parsed.kind === "from") {
      this.#begin(parsed);
      return;
    }
    const stage = this.stages.at(-1);
    if (stage !== undefined) {
      stage.instructions.push(parsed);
      return;
    }
    if (parsed.kind !== "arg") {
      refuse(parsed.place, "no build stage in current context", "begin with FROM; only ARG may stand before it");
    }
    this.args.push(parsed);
  }

  #begin(from: FromInstruction): void {
    const name = from.name?.toLowerCase();
    this.stages.push({ from, name, instructions: [] });
  }
}

function includedPath(rest: string, place: Place): string {
  const path = /^"([^"]*)"$/.exec(rest)?.[1] ?? rest;
  if (path === "" || /\s/.test(path)) {
    refuse(place, "INCLUDE requires exactly one argument", "write INCLUDE path, the path from the context's root");
  }
  if (path.includes("$")) refuse(place, "INCLUDE takes no variables", "write the path as it is");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    refuse(place, `INCLUDE ${path} leads out of the build context`, "include a file inside of it");
  if (parts.length === 0) refuse(place, `INCLUDE ${path} names no file`, "write the path of a file of the context");
  return parts.join("/");
}

/** The stages that a target needs, in order, itself the last. */
export function findStage(file: Containerfile, target: string | undefined): Stage {
  const last = file.stages.at(-1);
  if (target === undefined || target === "") {
    if (last === undefined) throw new TypeError("a Containerfile has at least one stage");
    return last;
  }
  const wanted = target.toLowerCase();
  const named = file.stages.findLast(({ name }) => name === wanted);
  const numbered = /^\d+$/.test(wanted) ? file.stages[Number(wanted)] : undefined;
  const found = named ?? numbered;
  if (found !== undefined) return found;
  const place = file.stages[0]?.from.place ?? { file: "Containerfile", lines: [1, 1] };
  const names = file.stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
  return refuse(
    place,
    `target stage "${target}" could not be found`,
    names.length === 0 ? "no stage has a name" : `stages are ${names.join(", ")}`,
  );
}
