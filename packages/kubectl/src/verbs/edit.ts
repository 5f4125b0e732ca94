import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deepEqual, isObject, type JsonObject, type KubeObject } from "@boxship/api";
import { goJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { errorMessage } from "@boxship/base";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { fileFlags, outputFlags } from "../global-flags.ts";
import { patchSchema } from "../patch/schema-of.ts";
import { threeWayPatch } from "../patch/three-way.ts";
import { resultPrinter } from "../print/result.ts";
import { patchObject } from "../request/objects.ts";
import { parseDocuments } from "../resource/yaml-documents.ts";
import type { Session } from "../session.ts";
import { type Found, forEachObject } from "./objects-of.ts";

const HELP = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`;

export const command = defineCommand({
  usage: "(RESOURCE/NAME | -f FILENAME)",
  summary: "Edit a resource on the server",
  flags: {
    ...fileFlags,
    ...outputFlags,
    "field-manager": str("kubectl-edit"),
    "output-patch": bool(),
    "save-config": bool(),
    subresource: str(),
    validate: str("strict", { bare: "strict" }),
    "windows-line-endings": bool(),
  },
  async run(session, { flags, operands }) {
    if (flags["save-config"]) throw new Refusal("--save-config is not supported");
    checkEditFlags(flags);
    const print = await resultPrinter({ ...flags, output: "" }, "edited", "none");
    const options = { fieldManager: flags["field-manager"], subresource: flags.subresource };
    let count = 0;
    await forEachObject(session, operands, flags, async (found) => {
      count++;
      const { managedFields: _fields, ...metadata } = found.object.metadata;
      const original = { ...found.object, ...(flags["show-managed-fields"] ? {} : { metadata }) };
      await editOne(session, { original, asJson: flags.output === "json", help: HELP }, async (edited) => {
        const schema = patchSchema(found.mapping);
        const patch = threeWayPatch(schema, original, edited, original);
        if (flags["output-patch"]) session.print(`Patch: ${goJson(patch)}`);
        const type = schema === undefined ? "merge" : "strategic";
        session.io.stdout.write(print(await patchObject(session, place(found), type, patch, options)));
      });
    });
    if (count === 0) throw new Refusal("edit cancelled, no objects found");
  },
});

const place = ({ mapping, namespace, name }: Found) => ({ mapping, namespace, name });

/** @throws Refusal for flags whose values no editor can have */
export function checkEditFlags(flags: { readonly output: string; readonly "windows-line-endings": boolean }): void {
  if (flags["windows-line-endings"]) throw new Refusal("--windows-line-endings is not supported");
  if (!["", "yaml", "json"].includes(flags.output))
    throw new Refusal(`unable to match a printer suitable for the output format ${JSON.stringify(flags.output)}`);
}

/** Opens the editor until what is saved can be taken, or nothing changes any more. */
export async function editOne(
  session: Session,
  { original, asJson, help }: { readonly original: KubeObject; readonly asJson: boolean; readonly help: string },
  save: (edited: JsonObject) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "kubectl-edit-"));
  const path = join(folder, asJson ? "object.json" : "object.yaml");
  let text = asJson ? `${goJson(original, "    ")}\n` : `${help}${toYaml(original)}`;
  try {
    for (let failed = ""; ; ) {
      await writeFile(path, text, { mode: 0o600 });
      await openEditor(session, path);
      const saved = await readFile(path, "utf8");
      const body = saved.replace(/^#.*\n?/gm, "");
      if (body.trim() === "") return session.warn("Edit cancelled, saved file was empty.");
      try {
        const [edited = null] = parseDocuments(body);
        if (!isObject(edited)) throw new Refusal("the edited file is no object");
        if (failed === "" && deepEqual(edited, original)) return session.warn("Edit cancelled, no changes made.");
        if (failed !== "" && saved === text)
          throw new PlainRefusal(`error: Edit cancelled, no valid changes were saved.`);
        return await save(edited);
      } catch (error) {
        if (error instanceof PlainRefusal) throw error;
        failed = errorMessage(error);
        session.warn(`error: ${failed}`);
        text = asJson
          ? saved
          : `${help}${failed
              .split("\n")
              .map((line) => `# ${line}\n`)
              .join("")}#\n${body}`;
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openEditor({ io }: Session, path: string): Promise<void> {
  if (io.run === undefined) throw new Refusal("no editor can be run here");
  const editor = io.env["KUBE_EDITOR"] || io.env["EDITOR"] || "vi";
  const { status } = await io.run("/bin/sh", ["-c", `${editor} "$0"`, path], { terminal: true });
  if (status !== 0) throw new Refusal(`there was a problem with the editor ${JSON.stringify(editor.split(" ")[0])}`);
}
