import { textAt } from "@boxship/api";
import { withLastApplied } from "../apply-annotation.ts";
import { defineCommand } from "../command.ts";
import { forEach, Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags } from "../global-flags.ts";
import { fieldValidation, parseDryRun, resultPrinter } from "../print/result.ts";
import { createObject, deleteObject, getObject, isNotFound, replaceObject } from "../request/objects.ts";
import { withSource } from "../request/with-source.ts";
import { type Manifest, readManifests } from "../resource/manifests.ts";
import { waitUntilGone } from "./wait-gone.ts";

export const command = defineCommand({
  usage: "-f FILENAME",
  summary: "Replace a resource by file name or stdin",
  flags: {
    ...fileFlags,
    ...outputFlags,
    ...dryRunFlag,
    cascade: str("background", { bare: "background" }),
    "field-manager": str("kubectl-replace"),
    force: bool(),
    "grace-period": int(-1),
    raw: str(),
    "save-config": bool(),
    subresource: str(),
    timeout: duration(),
    validate: str("strict", { bare: "strict" }),
    wait: bool(),
  },
  async run(session, { flags }) {
    if (flags.filename.length === 0 && flags.kustomize === "") throw new Refusal("must specify one of -f and -k");
    if (flags.raw !== "") throw new Refusal("--raw is not supported");
    if (flags["grace-period"] >= 0 && !flags.force) throw new Refusal("--grace-period must have --force specified");
    if (flags.timeout !== 0 && !flags.force) throw new Refusal("--timeout must have --force specified");
    const dryRun = parseDryRun(flags["dry-run"]);
    const print = await resultPrinter(flags, "replaced", dryRun);
    const options = {
      dryRun: dryRun === "server",
      fieldManager: flags["field-manager"],
      fieldValidation: fieldValidation(flags.validate),
      subresource: flags.subresource,
    };
    const manifests = await readManifests(session, flags);
    if (flags.force && dryRun === "none") await remove(manifests);
    await forEach(manifests, async (manifest) => {
      const object = flags["save-config"] ? withLastApplied(manifest.object) : manifest.object;
      if (dryRun === "client") return void session.io.stdout.write(print(object));
      const made = await withSource("replacing", manifest.source, async () => {
        if (flags.force) return await createObject(session, manifest, object, options);
        if (textAt(object, "metadata", "resourceVersion") === "") {
          object.metadata.resourceVersion = textAt(await getObject(session, manifest), "metadata", "resourceVersion");
        }
        return await replaceObject(session, manifest, object, options);
      });
      session.io.stdout.write(print(made));
    });

    async function remove(all: readonly Manifest[]): Promise<void> {
      for (const manifest of all) {
        const { mapping, namespace, name } = manifest;
        const grace = flags["grace-period"];
        const kind = `${mapping.kind.toLowerCase()}${mapping.group === "" ? "" : `.${mapping.group}`}`;
        try {
          await deleteObject(session, manifest, {
            propagationPolicy: "Background",
            ...(grace >= 0 && { gracePeriodSeconds: grace }),
          });
          const how = grace === 0 ? "force deleted" : "deleted";
          session.print(
            `${kind} ${JSON.stringify(name)} ${how}${namespace === "" ? "" : ` from ${namespace} namespace`}`,
          );
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
      await waitUntilGone(session, all, flags.timeout);
    }
  },
});
