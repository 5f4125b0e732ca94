import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isObject, type JsonObject, type KubeObject, textAt } from "@boxship/api";
import { goJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { lastApplied } from "../apply-annotation.ts";
import { defineCommand, type Invocation } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { array, bool, int, str } from "../flags.ts";
import { fileFlags, selectorFlag } from "../global-flags.ts";
import { patchSchema } from "../patch/schema-of.ts";
import { threeWayPatch } from "../patch/three-way.ts";
import { createObject, findObject, patchObject } from "../request/objects.ts";
import { type Manifest, readManifests } from "../resource/manifests.ts";
import type { Session } from "../session.ts";

const flags = {
  ...fileFlags,
  ...selectorFlag,
  concurrency: int(1),
  "field-manager": str("kubectl-client-side-apply"),
  "force-conflicts": bool(),
  prune: bool(),
  "prune-allowlist": array(),
  "server-side": bool(),
  "show-managed-fields": bool(),
};

type Flags = Invocation<typeof flags>["flags"];

export const command = defineCommand({
  usage: "-f FILENAME",
  summary: "Diff the live version against a would-be applied version",
  flags,
  failure: 2,
  async run(session, { flags: given }) {
    if (given.filename.length === 0 && given.kustomize === "") throw new Refusal("must specify one of -f and -k");
    if (given.prune) throw new Refusal("--prune is not supported");
    if (given.selector !== "") throw new Refusal("--selector is not supported");
    const [live, merged] = [await mkdtemp(join(tmpdir(), "LIVE-")), await mkdtemp(join(tmpdir(), "MERGED-"))];
    try {
      for (const manifest of await readManifests(session, given))
        await writeBoth(session, manifest, given, live, merged);
      await showDifference(session, live, merged);
    } finally {
      for (const path of [live, merged]) await rm(path, { recursive: true, force: true });
    }
  },
});

async function writeBoth(
  session: Session,
  manifest: Manifest,
  given: Flags,
  live: string,
  merged: string,
): Promise<void> {
  const current = await findObject(session, manifest);
  const wanted = await wouldBe(session, manifest, current, given);
  const { group, version, kind } = manifest.mapping;
  const name = [group, version, kind, manifest.namespace, manifest.name]
    .filter((one, index) => one !== "" || index === 3)
    .join(".");
  const [before, after] = masked(shown(current, given), shown(wanted, given));
  if (before !== undefined) await writeFile(join(live, name), toYaml(before), { mode: 0o600 });
  if (after !== undefined) await writeFile(join(merged, name), toYaml(after), { mode: 0o600 });
}

async function wouldBe(
  session: Session,
  manifest: Manifest,
  current: KubeObject | undefined,
  given: Flags,
): Promise<KubeObject> {
  const options = { dryRun: true, fieldManager: given["field-manager"] };
  if (given["server-side"]) {
    const own = { dryRun: true, fieldManager: "kubectl", force: given["force-conflicts"] };
    return await patchObject(session, manifest, "apply", goJson(manifest.object), own);
  }
  const { metadata } = manifest.object;
  // An empty map keeps the note of what was applied where it is.
  const modified = { ...manifest.object, metadata: { ...metadata, annotations: { ...metadata.annotations } } };
  if (current === undefined) return await createObject(session, manifest, modified, options);
  const schema = patchSchema(manifest.mapping);
  const patch = threeWayPatch(schema, lastApplied(current) ?? {}, modified, current);
  return await patchObject(session, manifest, schema === undefined ? "merge" : "strategic", patch, options);
}

/** Fields that are the server's own business are left out. */
function shown(object: KubeObject | undefined, given: Flags): JsonObject | undefined {
  if (object === undefined || given["show-managed-fields"]) return object;
  const { managedFields: _fields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What secrets hold is never shown, only that it differs. */
function masked(
  before: JsonObject | undefined,
  after: JsonObject | undefined,
): readonly [JsonObject | undefined, JsonObject | undefined] {
  if (textAt(after ?? before ?? {}, "kind") !== "Secret") return [before, after];
  const [old, fresh] = [before, after].map((object) => (isObject(object?.["data"]) ? object["data"] : {}));
  const maskOf = (data: JsonObject, other: JsonObject, word: string): JsonObject =>
    Object.fromEntries(
      Object.keys(data).map((key) => [
        key,
        other[key] !== undefined && other[key] !== data[key] ? `*** (${word})` : "***",
      ]),
    );
  const withData = (object: JsonObject | undefined, data: JsonObject): JsonObject | undefined => {
    if (object === undefined) return undefined;
    const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
    const { annotations: _annotations, ...rest } = metadata;
    return { ...object, metadata: rest, ...(Object.keys(data).length > 0 && { data }) };
  };
  return [
    withData(before, maskOf(old ?? {}, fresh ?? {}, "before")),
    withData(after, maskOf(fresh ?? {}, old ?? {}, "after")),
  ];
}

async function showDifference(session: Session, live: string, merged: string): Promise<void> {
  const { io } = session;
  if (io.run === undefined) throw new Refusal("no program can be run here");
  const words = (io.env["KUBECTL_EXTERNAL_DIFF"] ?? "").split(/\s+/).filter((word) => /^[a-zA-Z0-9./-]+$/.test(word));
  const [program = "diff", ...more] = words.length === 0 ? ["diff", "-u", "-N"] : words;
  const { status, stdout, stderr } = await io.run(program, [...more, live, merged]);
  io.stdout.write(stdout);
  if (stderr !== "") io.stderr.write(stderr);
  if (status === 1) throw new PlainRefusal("");
  if (status > 1) throw new PlainRefusal(`error: exit status ${status}`, status);
}
