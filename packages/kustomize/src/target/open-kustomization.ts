import { readJson } from "../config/read-config.ts";
import { BuildFailure } from "../failure.ts";
import { FILE_NAMES, type Kustomization, readKustomization } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import { builtinSchemas, type MergeSchemas } from "../merge/merge-schema.ts";
import { openApiSchemas } from "../merge/open-api.ts";

/** A kustomization, and the name of its file. */
export interface OpenedKustomization {
  readonly kustomization: Kustomization;
  readonly file: string;
}

/** Reads the one file of a directory. @param warn told of fields that are deprecated */
export async function openKustomization(loader: Loader, warn: (line: string) => void): Promise<OpenedKustomization> {
  const found: { readonly file: string; readonly text: string }[] = [];
  for (const file of FILE_NAMES) {
    try {
      found.push({ file, text: await loader.loadText(file) });
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
    }
  }
  const [first] = found;
  if (first === undefined) {
    throw new BuildFailure(
      `unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '${loader.root}'`,
    );
  }
  if (found.length > 1) throw new BuildFailure(`Found multiple kustomization files under: ${loader.root}\n`);
  return { kustomization: readKustomization(first.text, loader.root, warn), file: first.file };
}

/** What the kustomizations of a build choose together. */
export interface ChosenSchemas {
  /** Chosen by the first kustomization that says something about it. */
  schemas: MergeSchemas;
  schemasChosen: boolean;
}

/** The version of Kubernetes whose definitions the original has. */
const BUILTIN_VERSION = "v1.21.2";

/** Takes the schemas that a kustomization names. @param isRoot whether it is the one that is built */
export async function chooseSchemas(
  { openapi }: Kustomization,
  loader: Loader,
  context: ChosenSchemas,
  isRoot: boolean,
): Promise<void> {
  const { path, version } = openapi ?? {};
  const text = path === undefined ? undefined : await loader.loadText(path);
  if (context.schemasChosen && !isRoot) return;
  if (text !== undefined) {
    if (version !== undefined) {
      throw new BuildFailure("builtin version and custom schema provided, cannot use both");
    }
    context.schemas = openApiSchemas(readJson(text));
    context.schemasChosen = true;
  } else if (version !== undefined && version !== "") {
    if (version !== BUILTIN_VERSION) throw new BuildFailure("the specified OpenAPI version is not built in");
    context.schemas = builtinSchemas;
    context.schemasChosen = true;
  }
}
