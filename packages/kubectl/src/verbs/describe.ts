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
    // Of a whole list they are shown only when they are asked for.
    session.showEvents = changed.has("show-events") ? flags["show-events"] : targets.every(({ name }) => name !== "");
    let told = 0;
    const describe = async (place: ObjectPlace, object: Awaited<ReturnType<typeof getObject>>): Promise<void> => {
      const describer = await describerOf(place.mapping.kind, place.mapping.group);
      const text = await describer(session, object);
      session.io.stdout.write(told++ === 0 ? text : `\n\n${text}`);
    };
    await forEach(targets, async (target) => {
      const { mapping, namespace, name } = target;
      const list = () =>
        listObjects(session, mapping, namespace, { labelSelector: flags.selector, chunk: flags["chunk-size"] });
      if (name === "") {
        for (const object of await list()) await describe(target, object);
        return;
      }
      try {
        await describe(target, await getObject(session, target));
      } catch (error) {
        const isPrefix = isNotFound(error) && !fromFiles && targets.length === 1;
        const found = isPrefix ? (await list()).filter((object) => object.metadata.name?.startsWith(name)) : [];
        if (found.length === 0) throw error;
        if (!changed.has("show-events")) session.showEvents = false;
        for (const object of found) {
          await describe(target, object);
          session.io.stdout.write("\n");
        }
      }
    });
    if (told > 0) return;
    const namespaced = !flags["all-namespaces"] && targets.some(({ mapping }) => mapping.namespaced);
    session.warn(`No resources found${namespaced ? ` in ${await session.namespace()} namespace.` : ""}`);
  },
});
