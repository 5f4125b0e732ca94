import {
  applyMergePatch,
  applyStrategicMergePatch,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import { goJson } from "@boxship/api/go-json";
import { LAST_APPLIED, lastApplied, withLastApplied } from "../apply-annotation.ts";
import { defineCommand, type Invocation } from "../command.ts";
import { statusAt } from "../error-text.ts";
import { forEach, PlainRefusal, Refusal } from "../failure.ts";
import { array, bool, duration, int, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../global-flags.ts";
import { patchSchema } from "../patch/schema-of.ts";
import { threeWayPatch } from "../patch/three-way.ts";
import { type DryRun, fieldValidation, parseDryRun, resultPrinter } from "../print/result.ts";
import {
  createObject,
  deleteObject,
  findObject,
  patchObject,
  replaceObject,
  type WriteOptions,
} from "../request/objects.ts";
import { sourced, withSource } from "../request/with-source.ts";
import { type Manifest, readWhatCan } from "../resource/manifests.ts";
import type { Session } from "../session.ts";
import { prune } from "./apply-prune.ts";
import { waitUntilGone } from "./wait-gone.ts";

export const applyFlags = {
  ...fileFlags,
  ...outputFlags,
  ...dryRunFlag,
  ...selectorFlag,
  all: bool(),
  cascade: str("background", { bare: "background" }),
  "field-manager": str("kubectl-client-side-apply"),
  force: bool(),
  "force-conflicts": bool(),
  "grace-period": int(-1),
  "openapi-patch": bool(true),
  overwrite: bool(true),
  prune: bool(),
  "prune-allowlist": array(),
  "server-side": bool(),
  subresource: str(),
  timeout: duration(),
  validate: str("strict", { bare: "strict" }),
  wait: bool(),
};

export type ApplyFlags = Invocation<typeof applyFlags>["flags"];

export const command = defineCommand({
  usage: "(-f FILENAME | -k DIRECTORY)",
  summary: "Apply a configuration to a resource by file name or stdin",
  flags: applyFlags,
  async run(session, { flags, operands, changed, path }) {
    if (operands.length > 0) {
      throw new PlainRefusal(`error: Unexpected args: [${operands.join(" ")}]\nSee '${path} -h' for help and examples`);
    }
    if (flags["force-conflicts"] && !flags["server-side"])
      throw new Refusal("--force-conflicts only works with --server-side");
    const dryRun = parseDryRun(flags["dry-run"]);
    if (dryRun === "client" && flags["server-side"]) {
      throw new Refusal("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
    }
    if (flags.force && flags["server-side"]) throw new Refusal("--force cannot be used with --server-side");
    if (flags.force && dryRun === "server") throw new Refusal("--dry-run=server cannot be used with --force");
    if (flags.prune && !flags.all && flags.selector === "") {
      throw new Refusal(
        "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector",
      );
    }
    if (flags.filename.length === 0 && flags.kustomize === "") throw new Refusal("must specify one of -f and -k");
    const errors: unknown[] = [];
    const read = await readWhatCan(session, flags, errors);
    const manifests = read.filter((one) => matches(one.object, flags.selector));
    if (manifests.length === 0 && errors.length === 0) throw new Refusal("no objects passed to apply");
    const manager = changed.has("field-manager")
      ? flags["field-manager"]
      : flags["server-side"]
        ? "kubectl"
        : flags["field-manager"];
    const applied: KubeObject[] = [];
    const print = await resultPrinter(flags, "configured", dryRun);
    const work: Work = { session, flags, dryRun, manager };
    await forEach(
      manifests,
      async (manifest) => {
        const { object, operation } = flags["server-side"]
          ? await applyOnServer(work, manifest)
          : await applyHere(work, manifest);
        applied.push(object);
        session.io.stdout.write(print(object, operation));
      },
      errors,
    );
    if (flags.prune) await prune(session, flags, applied, dryRun);
  },
});

interface Work {
  readonly session: Session;
  readonly flags: ApplyFlags;
  readonly dryRun: DryRun;
  readonly manager: string;
}

interface Applied {
  readonly object: KubeObject;
  readonly operation: string;
}

const optionsOf = ({ flags, dryRun, manager }: Work): WriteOptions => ({
  dryRun: dryRun === "server",
  fieldManager: manager,
  fieldValidation: fieldValidation(flags.validate),
  ...(flags.subresource !== "" && { subresource: flags.subresource }),
});

/** Equality of labels only: what `apply -l` is used with. */
function matches(object: KubeObject, selector: string): boolean {
  if (selector === "") return true;
  return selector.split(",").every((part) => {
    const match = /^\s*([^!=\s]+)\s*(==|=|!=)\s*(\S*)\s*$/.exec(part);
    if (match === null) throw new Refusal(`the selector ${JSON.stringify(part)} is not supported for apply`);
    return (textAt(object, "metadata", "labels", match[1] ?? "") === match[3]) === (match[2] !== "!=");
  });
}

async function applyHere(work: Work, manifest: Manifest): Promise<Applied> {
  const { session, flags, dryRun } = work;
  const { mapping, source } = manifest;
  const modified = withLastApplied(manifest.object);
  if (manifest.name === "") {
    throw new Refusal(`from ${manifest.object.metadata.generateName ?? ""}: cannot use generate name with apply`);
  }
  const current = await findObject(session, manifest);
  if (current === undefined) {
    const made =
      dryRun === "client"
        ? modified
        : await withSource("creating", source, () => createObject(session, manifest, modified, optionsOf(work)));
    return { object: made, operation: "created" };
  }
  warnOf(session, manifest, current);
  const original = lastApplied(current) ?? {};
  const schema = patchSchema(mapping);
  const patch = threeWayPatch(schema, original, modified, current);
  if (Object.keys(patch).length === 0) return { object: current, operation: "unchanged" };
  const operation = "configured";
  if (dryRun === "client") return { object: patchedHere(manifest, current, patch), operation };
  try {
    const type = schema === undefined ? "merge" : "strategic";
    return { object: await patchObject(session, manifest, type, patch, optionsOf(work)), operation };
  } catch (error) {
    const reason = statusAt(error)?.reason;
    if (!flags.force || (reason !== "Conflict" && reason !== "Invalid")) throw patching(manifest, patch, error);
    return { object: await recreate(work, manifest, modified), operation };
  }
}

function warnOf(session: Session, { mapping, name }: Manifest, current: KubeObject): void {
  if (textAt(current, "metadata", "annotations", LAST_APPLIED) === "") {
    session.warn(
      `Warning: resource ${mapping.resource}/${name} is missing the ${LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.`,
    );
  }
  if (textAt(current, "metadata", "deletionTimestamp") !== "") {
    session.warn(`Warning: Detected changes to resource ${name} which is currently being deleted.`);
  }
}

function patching({ mapping, namespace, name, source }: Manifest, patch: JsonObject, error: unknown): unknown {
  const { group, version, resource, kind } = mapping;
  const groupVersion = group === "" ? `/${version}` : `${group}/${version}`;
  const inner = sourced("patching", source, error);
  const status = statusAt(inner);
  if (status === undefined || status.reason === "Invalid") return inner;
  const where = `error when applying patch:\n${goJson(patch)}\nto:\nResource: "${groupVersion}, Resource=${resource}", GroupVersionKind: "${groupVersion}, Kind=${kind}"\nName: "${name}", Namespace: "${namespace}"\nfor: "${source}"`;
  return new PlainRefusal(`Error from server (${status.reason ?? ""}): ${where}: ${status.message ?? ""}`);
}

/** What the server would make of it, as far as that can be known here. */
function patchedHere({ mapping }: Manifest, current: KubeObject, patch: JsonObject): KubeObject {
  const schema = patchSchema(mapping);
  const patched =
    schema === undefined ? applyMergePatch(current, patch) : applyStrategicMergePatch(schema, current, patch);
  return patched as KubeObject;
}

async function recreate(work: Work, manifest: Manifest, modified: KubeObject): Promise<KubeObject> {
  const { session, flags } = work;
  const grace = flags["grace-period"];
  await deleteObject(session, manifest, {
    propagationPolicy: "Background",
    ...(grace >= 0 && { gracePeriodSeconds: grace }),
  });
  await waitUntilGone(session, [manifest], flags.timeout);
  return await createObject(session, manifest, modified, optionsOf(work));
}

async function applyOnServer(work: Work, manifest: Manifest): Promise<Applied> {
  const { session, flags } = work;
  const options = { ...optionsOf(work), force: flags["force-conflicts"] };
  const apply = async (): Promise<KubeObject> => {
    try {
      return await patchObject(session, manifest, "apply", goJson(manifest.object), options);
    } catch (error) {
      if (statusAt(error)?.reason !== "Conflict") throw error;
      throw new Refusal(`${statusAt(error)?.message ?? ""}${CONFLICT_HELP}`);
    }
  };
  let object = await apply();
  if (work.dryRun === "none" && (await takeOver(session, manifest, object))) object = await apply();
  return { object, operation: "serverside-applied" };
}

/** How often what others change meanwhile is tried again. */
const TAKE_OVER_TRIES = 5;

/** {@link takenOver} of the object as it is when it is written. @returns whether anything changed */
async function takeOver(session: Session, manifest: Manifest, applied: KubeObject): Promise<boolean> {
  let object: KubeObject | undefined = applied;
  for (let tries = 1; object !== undefined; tries++) {
    const managedFields = takenOver(object);
    if (managedFields === undefined) return false;
    try {
      await replaceObject(session, manifest, { ...object, metadata: { ...object.metadata, managedFields } }, {});
      return true;
    } catch (error) {
      if (statusAt(error)?.reason !== "Conflict" || tries === TAKE_OVER_TRIES) throw error;
    }
    object = await findObject(session, manifest);
  }
  return false;
}

const CONFLICT_HELP = `
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`;

/**
 * What the client's side had applied before is the server's side's now: else its fields would stay for ever. The note
 * of what was applied stays, as a field of its own manager.
 *
 * @returns undefined where there is nothing of the kind
 */
function takenOver(object: KubeObject): JsonObject[] | undefined {
  const entries = listAt(object, "metadata", "managedFields") as JsonObject[];
  const find = (manager: string, operation: string) =>
    entries.find((one) => one["manager"] === manager && one["operation"] === operation && !one["subresource"]);
  const old = find("kubectl-client-side-apply", "Update");
  const own = find("kubectl", "Apply");
  if (old === undefined || own === undefined) return undefined;
  const annotation = { "f:metadata": { "f:annotations": { [`f:${LAST_APPLIED}`]: {} } } };
  const fields = union(own["fieldsV1"] as JsonObject, old["fieldsV1"] as JsonObject);
  const annotations = valueAt(fields, "f:metadata", "f:annotations");
  const noted = isObject(annotations) && annotations[`f:${LAST_APPLIED}`] !== undefined;
  if (isObject(annotations)) {
    delete annotations[`f:${LAST_APPLIED}`];
    if (Object.keys(annotations).every((field) => field === ".")) {
      delete (valueAt(fields, "f:metadata") as JsonObject)["f:annotations"];
    }
  }
  const note = { ...own, manager: "kubectl-last-applied", fieldsV1: annotation };
  const rest = entries.filter((one) => one !== old && one !== own);
  return [{ ...own, fieldsV1: fields }, ...(noted ? [note] : []), ...rest];
}

function union(left: JsonObject, right: JsonObject): JsonObject {
  const result: JsonObject = { ...left };
  for (const [field, value] of Object.entries(right)) {
    const below = result[field];
    result[field] = isObject(below) && isObject(value) ? union(below, value) : (value ?? {});
  }
  return result;
}
