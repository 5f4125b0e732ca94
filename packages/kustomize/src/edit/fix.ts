import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { JsonObject } from "@boxship/api";
import { buildKustomization } from "../build.ts";
import { BuildFailure } from "../failure.ts";
import type { EditContext, KustomizeIo } from "./context.ts";

/** Says by newer fields what deprecated ones say. @throws BuildFailure where a label would be there twice */
export async function fixFields({ io, file }: EditContext): Promise<void> {
  const patches = [...file.list("patches"), ...file.list("patchesJson6902")];
  for (const text of file.names("patchesStrategicMerge")) {
    patches.push((await isFile(resolve(io.directory, text))) ? { path: text } : { patch: text });
  }
  file.set("patches", patches);
  file.set("patchesJson6902", undefined);
  file.set("patchesStrategicMerge", undefined);
  const common = file.texts("commonLabels");
  if (Object.keys(common).length === 0) return;
  const labels = file.list("labels") as JsonObject[];
  for (const { pairs } of labels) {
    for (const key of Object.keys((pairs ?? {}) as JsonObject)) {
      if (Object.hasOwn(common, key)) {
        throw new BuildFailure(`label name '${key}' exists in both commonLabels and labels`);
      }
    }
  }
  file.set("labels", [...labels, { pairs: common, includeSelectors: true }]);
  file.set("commonLabels", undefined);
}

async function isFile(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch {
    return false;
  }
}

/** What a build says, for the comparison before and after. */
export async function tryBuild({ directory, run }: KustomizeIo): Promise<string | BuildFailure> {
  try {
    return await buildKustomization(directory, { run });
  } catch (error) {
    if (error instanceof BuildFailure) return error;
    throw error;
  }
}
