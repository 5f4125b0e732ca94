import { readdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { JsonObject } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import type { FlagValues } from "@boxship/base/parse-flags";
import { bool, slice, str } from "@boxship/kubectl/flags";
import type { KustomizeIo } from "../edit/context.ts";
import { readTexts } from "../edit/texts.ts";
import { BuildFailure } from "../failure.ts";
import { FILE_NAMES, VERSION } from "../kustomization.ts";
import { Loader } from "../loader.ts";
import { readResources } from "../target/read-resources.ts";

const flags = {
  annotations: str(),
  autodetect: bool(),
  labels: str(),
  nameprefix: str(),
  namespace: str(),
  namesuffix: str(),
  recursive: bool(),
  resources: slice(),
};

/** Makes a kustomization file where there is none. */
export const createKustomization = {
  words: "create",
  usage: "",
  summary: "Create a new kustomization in the current directory",
  flags,
  async run(io: KustomizeIo, _operands: readonly string[], given: FlagValues<typeof flags>): Promise<void> {
    const names = await readdir(io.directory);
    if (FILE_NAMES.some((name) => names.includes(name))) throw new BuildFailure("kustomization file already exists");
    const resources = [...given.resources];
    for (const path of resources) await mustExist(io, path);
    if (given.autodetect) {
      for (const path of await detect(io.directory, io.directory, given.recursive)) {
        if (!resources.includes(path)) resources.push(path);
      }
    }
    const texts = (text: string, what: string): JsonObject | undefined =>
      text === "" ? undefined : Object.fromEntries(readTexts([text], what));
    const fields: JsonObject = {
      apiVersion: VERSION,
      kind: "Kustomization",
      resources: resources.length === 0 ? undefined : resources,
      namePrefix: given.nameprefix || undefined,
      nameSuffix: given.namesuffix || undefined,
      namespace: given.namespace || undefined,
      commonLabels: texts(given.labels, "label"),
      commonAnnotations: texts(given.annotations, "annotation"),
    };
    const present = Object.entries(fields).filter(([, value]) => value !== undefined);
    const text = present.map(([field, value]) => toYaml({ [field]: value })).join("");
    await writeFile(join(io.directory, "kustomization.yaml"), text, { flag: "wx" });
  },
};

async function mustExist(io: KustomizeIo, path: string): Promise<void> {
  await using loader = await Loader.at(io.directory, { run: io.run });
  try {
    await loader.load(path);
  } catch {
    await using base = await loader.open(path);
    void base;
  }
}

/** Files with objects, and directories with kustomizations, which are not looked into. */
async function detect(root: string, directory: string, recursive: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      const names = await readdir(path);
      if (FILE_NAMES.some((name) => names.includes(name))) found.push(relative(root, path));
      else if (recursive) found.push(...(await detect(root, path, true)));
    } else if (/\.ya?ml$/.test(entry.name) && (await hasObjects(root, relative(root, path)))) {
      found.push(relative(root, path));
    }
  }
  return found;
}

async function hasObjects(root: string, path: string): Promise<boolean> {
  await using loader = await Loader.at(root, {});
  try {
    return readResources(await loader.loadText(path)).length > 0;
  } catch (error) {
    if (error instanceof BuildFailure) return false;
    throw error;
  }
}
