import type { KubeObject } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { describerOf } from "../describe/describers.ts";
import { forEach, Refusal } from "../failure.ts";
import { bool, int } from "../flags.ts";
import { fileFlags, selectorFlag } from "../global-flags.ts";
import { getObject, isNotFound, listObjects, type ObjectPlace } from "../request/objects.ts";
import { readManifests } from "../resource/manifests.ts";
import { resolveTargets } from "../resource/targets.ts";

export const command = defineCommand({
  usage: "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
  summary: "Show details of a specific resource or group of resources",
  flags: {
    ...fileFlags,
    ...selectorFlag,
    "all-namespaces": bool(false, { short: "A" }),
    "chunk-size": int(500),
    "show-events": bool(true),
  },
  async run(session, { flags, operands, changed }) {
    const fromFiles = flags.filename.length > 0 || flags.kustomize !== "";
    if (operands.length === 0 && !fromFiles) {
      throw new Refusal(
        'You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.',
      );
    }
    const selected = flags.selector !== "";
    const options = { selected, allNamespaces: flags["all-namespaces"] };
    const targets: readonly ObjectPlace[] = fromFiles
      ? await readManifests(session, flags)
      : await resolveTargets(session, operands, options);
    const list = ({ mapping, namespace }: ObjectPlace): Promise<readonly KubeObject[]> =>
      listObjects(session, mapping, namespace, { labelSelector: flags.selector, chunk: flags["chunk-size"] });
    const errors: unknown[] = [];
    const all: { readonly target: ObjectPlace; readonly objects?: readonly KubeObject[] }[] = [];
    for (const target of targets) {
      if (target.name !== "") all.push({ target });
      else
        await list(target).then(
          (objects) => all.push({ target, objects }),
          (error: unknown) => errors.push(error),
        );
    }
    const count = all.reduce((sum, { objects }) => sum + (objects?.length ?? 1), 0);
    // Of several they are shown only when they are asked for.
    session.showEvents = changed.has("show-events") ? flags["show-events"] : count < 2 && errors.length === 0;
    let told = 0;
    const describe = async (place: ObjectPlace, object: KubeObject): Promise<void> => {
      const describer = await describerOf(place.mapping.kind, place.mapping.group);
      const text = await describer(session, object);
      session.io.stdout.write(told++ === 0 ? text : `\n\n${text}`);
    };
    const describeAll = async ({ target, objects }: (typeof all)[number]): Promise<void> => {
      if (objects !== undefined) {
        for (const object of objects) await describe(target, object);
        return;
      }
      try {
        await describe(target, await getObject(session, target));
      } catch (error) {
        const isPrefix = isNotFound(error) && !fromFiles && targets.length === 1;
        const begun = (object: KubeObject): boolean => object.metadata.name?.startsWith(target.name) === true;
        const found = isPrefix ? (await list(target)).filter(begun) : [];
        if (found.length === 0) throw error;
        if (!changed.has("show-events")) session.showEvents = false;
        for (const object of found) {
          await describe(target, object);
          session.io.stdout.write("\n");
        }
      }
    };
    await forEach(all, describeAll, errors);
    if (told > 0) return;
    session.warn(`No resources found${flags["all-namespaces"] ? "" : ` in ${await session.namespace()} namespace.`}`);
  },
});
