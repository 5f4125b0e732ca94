import { readFile } from "node:fs/promises";
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  deepEqual,
  type Json,
  type KubeObject,
} from "@boxship/api";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags } from "../global-flags.ts";
import { patchSchema } from "../patch/schema-of.ts";
import { parseDryRun, resultPrinter } from "../print/result.ts";
import { type PatchType, patchObject } from "../request/objects.ts";
import type { Mapping } from "../resource/discovery.ts";
import { parseDocuments } from "../resource/yaml-documents.ts";
import { forEachObject } from "./objects-of.ts";

export const command = defineCommand({
  usage: "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
  summary: "Update fields of a resource",
  flags: {
    ...fileFlags,
    ...outputFlags,
    ...dryRunFlag,
    "field-manager": str("kubectl-patch"),
    local: bool(),
    patch: str("", { short: "p" }),
    "patch-file": str(),
    subresource: str(),
    type: str("strategic"),
  },
  async run(session, { flags, operands }) {
    if (flags.local) throw new Refusal("--local is not supported");
    if (flags.patch !== "" && flags["patch-file"] !== "")
      throw new Refusal("cannot specify --patch and --patch-file together");
    if (flags.patch === "" && flags["patch-file"] === "") {
      throw new Refusal("must specify --patch or --patch-file containing the contents of the patch");
    }
    const type = flags.type.toLowerCase();
    if (!["json", "merge", "strategic"].includes(type)) {
      throw new Refusal(`--type must be one of [json merge strategic], not ${JSON.stringify(type)}`);
    }
    const dryRun = parseDryRun(flags["dry-run"]);
    const source = flags.patch === "" ? await readPatch(flags["patch-file"]) : flags.patch;
    const print = await resultPrinter(flags, "patched", "none");
    await forEachObject(session, operands, flags, async (found) => {
      const options = {
        fieldManager: flags["field-manager"],
        dryRun: dryRun === "server",
        subresource: flags.subresource,
      };
      const changed =
        dryRun === "client"
          ? patched(found.mapping, type as PatchType, found.object, parsed(source))
          : await patchObject(session, found, type as PatchType, asJson(source), options);
      const same = deepEqual(withoutVersion(found.object), withoutVersion(changed));
      session.io.stdout.write(print(changed, same ? "patched (no change)" : "patched"));
    });
  },
});

async function readPatch(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => {
    throw new Refusal(`unable to read patch file: open ${path}: no such file or directory`);
  });
}

const parsed = (text: string): Json => parseDocuments(text)[0] ?? null;

/** YAML as JSON; what begins as JSON goes as it is, and the server says what is wrong with it. */
function asJson(text: string): string {
  if (/^\s*[{[]/.test(text)) {
    try {
      JSON.parse(text);
      return text;
    } catch {
      // Perhaps YAML's way of writing braces.
    }
    try {
      return JSON.stringify(parsed(text));
    } catch {
      return text;
    }
  }
  try {
    return JSON.stringify(parsed(text));
  } catch (error) {
    throw new Refusal(`unable to parse ${JSON.stringify(text)}: ${error instanceof Error ? error.message : ""}`);
  }
}

function patched(mapping: Mapping, type: PatchType, object: KubeObject, patch: Json): KubeObject {
  if (type === "json") return applyJsonPatch(object, patch) as KubeObject;
  if (type === "merge") return applyMergePatch(object, patch) as KubeObject;
  const schema = patchSchema(mapping);
  if (schema === undefined)
    throw new Refusal("cannot apply strategic merge patch for custom resources locally, try --type merge");
  return applyStrategicMergePatch(schema, object, patch) as KubeObject;
}

function withoutVersion({ metadata, ...rest }: KubeObject): Json {
  const { resourceVersion: _version, managedFields: _fields, ...others } = metadata;
  return { ...rest, metadata: others };
}
