import type { KubeObject } from "@boxship/api";
import { forEach } from "../failure.ts";
import { getObject, listObjects, type ObjectPlace } from "../request/objects.ts";
import { type FileFlags, readManifests } from "../resource/manifests.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";

/** An object of the server and where it is. */
export interface Found extends ObjectPlace {
  readonly object: KubeObject;
}

export interface ObjectsFlags extends Partial<FileFlags> {
  readonly selector?: string;
  readonly "field-selector"?: string;
  readonly all?: boolean;
  readonly "all-namespaces"?: boolean;
}

/**
 * Does something with each object that words, files or selectors name, as the server has it now. Failures are told at
 * the end.
 */
export async function forEachObject(
  session: Session,
  words: readonly string[],
  flags: ObjectsFlags,
  work: (found: Found) => Promise<void>,
): Promise<number> {
  const { filename = [], kustomize = "", recursive = false } = flags;
  let count = 0;
  const one = async (place: ObjectPlace): Promise<void> => {
    count++;
    await work({ ...place, object: await getObject(session, place) });
  };
  if (filename.length > 0 || kustomize !== "") {
    await forEach(await readManifests(session, { filename, kustomize, recursive }), one);
    return count;
  }
  const labelSelector = flags.selector ?? "";
  const fieldSelector = flags["field-selector"] ?? "";
  const selected = labelSelector !== "" || fieldSelector !== "";
  const allNamespaces = flags["all-namespaces"] ?? false;
  const targets = await resolveTargets(session, words, { selected, allNamespaces, all: flags.all ?? false });
  await forEach(targets, async ({ mapping, namespace, name }) => {
    if (name !== "") return await one({ mapping, namespace, name });
    const objects = await listObjects(session, mapping, namespace, { labelSelector, fieldSelector });
    await forEach(objects, async (object) => {
      count++;
      await work({ mapping, namespace: object.metadata.namespace ?? "", name: object.metadata.name ?? "", object });
    });
  });
  return count;
}
