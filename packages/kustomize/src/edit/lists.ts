import { glob, stat } from "node:fs/promises";
import { basename, relative, resolve } from "node:path";
import { BuildFailure } from "../failure.ts";
import { readRepository } from "../remote/repository.ts";
import { type EditContext, say } from "./context.ts";

/** Adds paths to a list; patterns stand for what they match. */
export async function addPaths(context: EditContext, field: string, what: string): Promise<void> {
  const { io, file, operands } = context;
  if (operands.length === 0) throw new BuildFailure(`must specify a ${what}`);
  const list = file.list(field);
  for (const operand of operands) {
    for (const path of await expand(context, operand, io.directory)) {
      if (list.includes(path)) say(context, `${what.split(" ")[0]} ${path} already in kustomization file`);
      else list.push(path);
    }
  }
  file.set(field, list);
}

async function expand(context: EditContext, pattern: string, directory: string): Promise<readonly string[]> {
  if (/^https?:\/\//.test(pattern) || readRepository(pattern) !== undefined) return [pattern];
  const found = await Array.fromAsync(glob(pattern, { cwd: directory }));
  if (found.length === 0) throw new BuildFailure(`${pattern} has no match`);
  const own = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
  const paths = found.map((path) => (pattern.includes("*") ? path : pattern)).sort();
  if (paths.length === 0) say(context, `${pattern} has no match`);
  return [...new Set(paths)].filter((path) => !own.includes(path));
}

/** Adds directories with kustomizations, several with commas between them. */
export async function addBases(context: EditContext): Promise<void> {
  const { io, file, operands } = context;
  const [text] = operands;
  if (text === undefined || operands.length > 1) {
    throw new BuildFailure(
      text === undefined
        ? "must specify a base directory"
        : `too many arguments: ${operands.join(" ")}; to provide multiple base directories, please separate base directory names by commas`,
    );
  }
  const list = file.list("resources");
  for (const path of text.split(",")) {
    const target = resolve(io.directory, path);
    if (!(await isDirectory(target))) throw new BuildFailure(`${path} does not exist`);
    const shown = relative(io.directory, target) || basename(target);
    if (list.includes(path) || list.includes(shown)) {
      throw new BuildFailure(`base ${path} already in kustomization file`);
    }
    list.push(path);
  }
  file.set("resources", list);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Takes entries out of a list; patterns with `*` and `?` stand for what they match. */
export function removeEntries(context: EditContext, field: string, what: string): void {
  const { file, operands } = context;
  if (operands.length === 0) throw new BuildFailure(`must specify a ${what}`);
  let list = file.names(field);
  for (const pattern of operands) {
    const expression = new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", "[^/]*")
        .replaceAll("?", "[^/]")}$`,
    );
    const kept = list.filter((entry) => entry !== pattern && !expression.test(entry));
    if (kept.length === list.length)
      say(context, `${what.split(" ")[0]} ${pattern} doesn't exist in kustomization file`);
    list = kept;
  }
  file.set(field, list);
}

const METADATA = ["originAnnotations", "transformerAnnotations", "managedByLabel"];

/** Options of `buildMetadata`, with commas between them. */
export function metadataOptions({ operands }: EditContext): readonly string[] {
  const [text, ...more] = operands;
  if (text === undefined) throw new BuildFailure("must specify a buildMetadata option");
  if (more.length > 0) {
    throw new BuildFailure(
      `too many arguments: [${operands.join(" ")}]; to provide multiple buildMetadata options, please separate options by comma`,
    );
  }
  const options = text.split(",");
  for (const option of options) {
    if (!METADATA.includes(option)) {
      throw new BuildFailure(`invalid buildMetadata option: ${option}; must be one of [${METADATA.join(" ")}]`);
    }
  }
  return options;
}

export function addMetadata(context: EditContext): void {
  const list = context.file.list("buildMetadata");
  for (const option of metadataOptions(context)) {
    if (list.includes(option)) throw new BuildFailure(`buildMetadata option ${option} already in kustomization file`);
    list.push(option);
  }
  context.file.set("buildMetadata", list);
}

export function removeMetadata(context: EditContext): void {
  const options = metadataOptions(context);
  const list = context.file.names("buildMetadata");
  context.file.set(
    "buildMetadata",
    list.filter((option) => !options.includes(option)),
  );
}
