import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deepEqual, type Json, type JsonObject } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { BuildFailure } from "../failure.ts";
import { decodeKustomization, FILE_NAMES, moveDeprecated } from "../kustomization.ts";

/** Where fields that a file does not have yet are put: in this order, at its end. */
const ORDER = `apiVersion kind metadata sortOptions resources namePrefix nameSuffix namespace crds commonLabels labels
commonAnnotations patchesStrategicMerge patchesJson6902 patches configMapGenerator secretGenerator helmCharts helmGlobals
generatorOptions vars images replacements replicas configurations generators transformers validators components openapi
buildMetadata`.split(/\s+/);

/** One field as it stands in the file, with the comments and empty lines before it. */
interface Section {
  readonly field: string;
  readonly before: string;
  readonly text: string;
}

/**
 * A kustomization file that is changed field by field. What a change does not touch keeps its text, comments and all;
 * comments in a field that is written again come to stand before it.
 */
export class KustomizationFile {
  readonly fields: JsonObject;
  readonly #path: string;
  readonly #sections: readonly Section[];
  readonly #end: string;
  readonly #before: JsonObject;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#before = decodeKustomization(text);
    this.fields = structuredClone(moveDeprecated(this.#before));
    const { sections, end } = splitSections(text);
    this.#sections = sections;
    this.#end = end;
  }

  static async open(directory: string): Promise<KustomizationFile> {
    const found: string[] = [];
    for (const name of FILE_NAMES) if (await isFile(join(directory, name))) found.push(name);
    const [name] = found;
    if (name === undefined) throw new BuildFailure(`Missing kustomization file '${FILE_NAMES[0]}'.\n`);
    if (found.length > 1) throw new BuildFailure(`Found multiple kustomization file: [${found.join(" ")}]\n`);
    const path = join(directory, name);
    return new KustomizationFile(path, await readFile(path, "utf8"));
  }

  /** A list of the file; an empty one where there is none. */
  list(field: string): Json[] {
    const list = this.fields[field];
    return Array.isArray(list) ? list : [];
  }

  /** A list of texts. */
  names(field: string): string[] {
    return this.list(field).filter((entry) => typeof entry === "string");
  }

  set(field: string, value: Json | undefined): void {
    const isEmpty =
      value === undefined ||
      value === "" ||
      (typeof value === "object" && value !== null && Object.keys(value).length === 0);
    if (isEmpty) delete this.fields[field];
    else this.fields[field] = value;
  }

  /** A map of texts. */
  texts(field: string): Record<string, string> {
    return { ...(this.fields[field] as Record<string, string> | undefined) };
  }

  async save(): Promise<void> {
    await writeFile(this.#path, this.toText());
  }

  toText(): string {
    const written = new Set<string>();
    let text = "";
    for (const section of this.#sections) {
      const { field } = section;
      text += section.before;
      const value = this.fields[field];
      if (written.has(field) || value === undefined) text += commentsOf(section.text);
      else if (deepEqual(value, this.#before[field])) text += section.text;
      else text += rewrite(section, this.#before[field], value);
      written.add(field);
    }
    if (text !== "" && !text.endsWith("\n")) text += "\n";
    for (const field of ORDER) {
      const value = this.fields[field];
      if (value !== undefined && !written.has(field)) text += toYaml({ [field]: value });
    }
    return text + this.#end;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

const FIELD = /^(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9]+))\s*:(?=\s|$)/;
const isComment = (line: string): boolean => /^\s*(#|$)/.test(line);

function splitSections(text: string): { readonly sections: readonly Section[]; readonly end: string } {
  const sections: Section[] = [];
  let before = "";
  let current: { field: string; before: string; text: string } | undefined;
  const close = (): void => {
    if (current !== undefined) sections.push(current);
    current = undefined;
  };
  for (const line of text.split(/(?<=\n)/)) {
    const match = FIELD.exec(line);
    if (match !== null) {
      close();
      current = { field: properName(match[1] ?? match[2] ?? match[3] ?? ""), before, text: line };
      before = "";
    } else if (isComment(line)) before += line;
    else if (current === undefined) before += line;
    else {
      // What stands within a field belongs to it.
      current.text += before + line;
      before = "";
    }
  }
  close();
  return { sections, end: before };
}

const properName = (name: string): string =>
  [...ORDER, "bases", "imageTags", "helmChartInflationGenerator"].find(
    (field) => field.toLowerCase() === name.toLowerCase(),
  ) ?? name;

function commentsOf(text: string): string {
  return text
    .split(/(?<=\n)/)
    .filter((line) => /^\s*#/.test(line))
    .map((line) => line.trimStart())
    .join("");
}

/** A changed field: a list keeps the text of the items that it keeps. */
function rewrite({ field, text }: Section, before: Json | undefined, value: Json): string {
  const plain = `${commentsOf(text)}${toYaml({ [field]: value })}`;
  if (!Array.isArray(before) || !Array.isArray(value)) return plain;
  const items = splitItems(text);
  if (items === undefined || items.items.length !== before.length) return plain;
  const { head, indent, items: texts } = items;
  const left = before.map((item, at) => ({ item, text: texts[at] ?? "" }));
  let result = head;
  for (const item of value) {
    const at = left.findIndex((one) => deepEqual(one.item, item));
    const [kept] = at < 0 ? [] : left.splice(at, 1);
    result += kept?.text ?? indented(toYaml([item]), indent);
  }
  return result + left.map((one) => commentsOf(one.text)).join("");
}

interface Items {
  readonly head: string;
  readonly indent: string;
  readonly items: readonly string[];
}

/** The items of a list in block style, each with the comments before it; undefined for a list of another form. */
function splitItems(text: string): Items | undefined {
  const [head = "", ...lines] = text.split(/(?<=\n)/);
  if (!/:\s*(#.*)?\n?$/.test(head)) return undefined;
  const first = lines.find((line) => !isComment(line));
  const indent = /^( *)- /.exec(first ?? "")?.[1];
  if (indent === undefined) return undefined;
  const items: string[] = [];
  let before = "";
  for (const line of lines) {
    if (line.startsWith(`${indent}- `)) {
      items.push(before + line);
      before = "";
    } else if (isComment(line) && line.trim() !== "") before += line;
    else {
      if (items.length === 0) return undefined;
      items[items.length - 1] += before + line;
      before = "";
    }
  }
  if (items.length > 0 && before !== "") items[items.length - 1] += before;
  const ended = items.map((item) => (item.endsWith("\n") ? item : `${item}\n`));
  return { head: head.endsWith("\n") ? head : `${head}\n`, indent, items: ended };
}

const indented = (text: string, indent: string): string => text.replace(/^(?=.)/gm, indent);
