import type { KubeObject } from "@boxship/api";
import { annotationPatch, lastApplied, noteOf } from "../../apply-annotation.ts";
import { defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { fileFlags, outputFlags } from "../../global-flags.ts";
import { fieldValidation, resultPrinter } from "../../print/result.ts";
import { patchObject } from "../../request/objects.ts";
import { checkEditFlags, editOne } from "../edit.ts";
import { type Found, forEachObject } from "../objects-of.ts";

const HELP = `# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
`;

export const command = defineCommand({
  usage: "(RESOURCE/NAME | -f FILENAME)",
  summary: "Edit latest last-applied-configuration annotations of a resource/object",
  flags: {
    ...fileFlags,
    ...outputFlags,
    "field-manager": str("kubectl-client-side-apply"),
    validate: str("strict", { bare: "strict" }),
    "windows-line-endings": bool(),
  },
  async run(session, { flags, operands }) {
    checkEditFlags(flags);
    const options = { fieldManager: flags["field-manager"], fieldValidation: fieldValidation(flags.validate) };
    const print = await resultPrinter({ ...flags, output: "" }, "edited", "none");
    const all: { readonly found: Found; readonly applied: KubeObject }[] = [];
    await forEachObject(session, operands, flags, async (found) => {
      const applied = lastApplied(found.object);
      if (applied !== undefined) all.push({ found, applied: applied as KubeObject });
    });
    if (all.length === 0) {
      throw new Refusal(
        "no last-applied-configuration annotation found on resources, to create the annotation, use command `kubectl apply set-last-applied --create-annotation`",
      );
    }
    for (const { found, applied } of all) {
      await editOne(session, { original: applied, asJson: flags.output === "json", help: HELP }, async (edited) => {
        const { mapping, namespace, name } = found;
        const text = noteOf(edited);
        await patchObject(session, { mapping, namespace, name }, "merge", annotationPatch(text), options);
        session.io.stdout.write(print(edited as KubeObject));
      });
    }
  },
});
