import type { KubeObject } from "@boxship/api";
import { annotationPatch, lastAppliedText, noteOf } from "../../apply-annotation.ts";
import { defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { bool, slice } from "../../flags.ts";
import { dryRunFlag, outputFlags } from "../../global-flags.ts";
import { parseDryRun, resultPrinter } from "../../print/result.ts";
import { getObject, patchObject } from "../../request/objects.ts";
import { type Manifest, readManifests } from "../../resource/manifests.ts";
import { NOTHING_NAMED } from "../../resource/targets.ts";

export const command = defineCommand({
  usage: "-f FILENAME",
  summary: "Set the last-applied-configuration annotation on a live object to match the contents of a file",
  flags: { ...outputFlags, ...dryRunFlag, filename: slice({ short: "f" }), "create-annotation": bool() },
  async run(session, { flags }) {
    const dryRun = parseDryRun(flags["dry-run"]);
    const print = await resultPrinter(flags, "configured", dryRun);
    if (flags.filename.length === 0) throw new Refusal(NOTHING_NAMED);
    const changed: { readonly manifest: Manifest; readonly current: KubeObject; readonly text: string }[] = [];
    for (const manifest of await readManifests(session, {
      filename: flags.filename,
      kustomize: "",
      recursive: false,
    })) {
      const current = await getObject(session, manifest);
      const text = noteOf(manifest.object);
      const before = lastAppliedText(current);
      if (before === "" && !flags["create-annotation"]) {
        throw new Refusal(
          `no last-applied-configuration annotation found on resource: ${manifest.name}, to create the annotation, run the command with --create-annotation`,
        );
      }
      if (before.trimEnd() === text.trimEnd()) {
        session.print(`set-last-applied ${manifest.name}: no changes required.`);
      } else changed.push({ manifest, current, text });
    }
    for (const { manifest, current, text } of changed) {
      const options = { dryRun: dryRun === "server" };
      const object =
        dryRun === "client" ? current : await patchObject(session, manifest, "merge", annotationPatch(text), options);
      session.io.stdout.write(print(object));
    }
  },
});
