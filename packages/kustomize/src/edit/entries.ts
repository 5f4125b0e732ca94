import { deepEqual, type Json, type JsonObject, textAt } from "@boxship/api";
import { BuildFailure } from "../failure.ts";
import { splitImage } from "../transform/images.ts";
import { type EditContext, say } from "./context.ts";

const FORMS = `invalid format of image, use one of the following options:
- <image>=<newimage>:<newtag>
- <image>=<newimage>:<newtag>@<digest>
- <image>=<newimage>@<digest>
- <image>=<newimage>
- <image>:<newtag>
- <image>:<newtag>@<digest>
- <image>@<digest>`;

/** Names, tags and digests of images; `*` keeps what the file has. */
export function setImages({ file, operands }: EditContext): void {
  if (operands.length === 0) throw new BuildFailure("no image specified");
  const images = new Map((file.list("images") as JsonObject[]).map((image) => [textAt(image, "name"), image]));
  for (const operand of operands) {
    const image = readImage(operand);
    const name = textAt(image, "name");
    const old = images.get(name) ?? {};
    const merged = Object.entries(image).map(([field, value]) => [field, value === "*" ? old[field] : value] as const);
    images.set(name, Object.fromEntries(merged.filter(([, value]) => value !== undefined && value !== "")));
  }
  file.set(
    "images",
    [...images].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, image]) => image),
  );
}

function readImage(text: string): JsonObject {
  const at = text.indexOf("=");
  const [name, newTag, digest] = splitImage(at < 0 ? text : text.slice(at + 1));
  if (name === text) throw new BuildFailure(FORMS);
  return at < 0 ? { name, newTag, digest } : { name: text.slice(0, at), newName: name, newTag, digest };
}

/** `name=count`. */
export function setReplicas({ file, operands }: EditContext): void {
  if (operands.length === 0) throw new BuildFailure("no replicas specified");
  const replicas = new Map((file.list("replicas") as JsonObject[]).map((one) => [textAt(one, "name"), one]));
  for (const operand of operands) {
    const match = /^([^=]+)=(\d+)$/.exec(operand);
    if (match === null) {
      throw new BuildFailure("invalid format of replica, use the following format: <name>=<count>");
    }
    const [, name = "", count = ""] = match;
    replicas.set(name, { name, count: Number(count) });
  }
  file.set(
    "replicas",
    [...replicas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one),
  );
}

export interface PatchFlags {
  readonly path: string;
  readonly patch: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly "annotation-selector": string;
  readonly "label-selector": string;
}

function readPatch(flags: PatchFlags): JsonObject {
  const { path, patch, group, version, kind, name, namespace } = flags;
  if (path !== "" && patch !== "") throw new BuildFailure("patch and path can't be set at the same time");
  const selectors = { annotationSelector: flags["annotation-selector"], labelSelector: flags["label-selector"] };
  const target = given({ group, version, kind, name, namespace, ...selectors });
  return given({ path, patch, ...(Object.keys(target).length === 0 ? {} : { target }) });
}

const given = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== "" && value !== undefined));

export function addPatch(context: EditContext, flags: PatchFlags): void {
  const patch = readPatch(flags);
  if (flags.path === "" && flags.patch === "") throw new BuildFailure("must provide either patch or path");
  const list = context.file.list("patches");
  if (list.some((one) => deepEqual(one, patch))) say(context, "patch already in kustomization file");
  else context.file.set("patches", [...list, patch]);
}

export function removePatch(context: EditContext, flags: PatchFlags): void {
  const patch = readPatch(flags);
  const list = context.file.list("patches");
  const kept = list.filter((one) => !deepEqual(one, patch));
  if (kept.length === list.length) say(context, `patch ${flags.patch} doesn't exist in kustomization file`);
  context.file.set("patches", kept);
}

export interface DataFlags {
  readonly "from-literal": readonly string[];
  readonly "from-file": readonly string[];
  readonly "from-env-file": string;
  readonly behavior: string;
  readonly namespace: string;
  readonly disableNameSuffixHash: boolean;
  readonly type?: string;
}

const namespaceOf = (entry: JsonObject): string => textAt(entry, "namespace") || "default";

/** Adds a generator, or sources to the one that has the name. */
export function addData({ file, operands }: EditContext, field: string, what: string, flags: DataFlags): void {
  const [name, ...more] = operands;
  if (name === undefined || more.length > 0) throw new BuildFailure("name must be specified once");
  const { "from-literal": literals, "from-file": files, "from-env-file": env, behavior, namespace, type = "" } = flags;
  if (literals.length === 0 && files.length === 0 && env === "") {
    throw new BuildFailure("at least from-env-file, or from-file or from-literal must be set");
  }
  if (behavior !== "" && !["create", "merge", "replace"].includes(behavior)) {
    throw new BuildFailure(`invalid behavior: ${behavior}; must be one of create, merge, replace`);
  }
  const list = file.list(field) as JsonObject[];
  const wanted = namespace || "default";
  let entry = list.find((one) => one["name"] === name && namespaceOf(one) === wanted);
  if (entry === undefined) {
    // The type is that of a new one; one that is there keeps its own.
    entry = given({ name, namespace, type });
    list.push(entry);
  }
  const add = (key: string, values: readonly string[]): void => {
    const known = (entry[key] as Json[] | undefined) ?? [];
    const fresh = values.filter((value) => !known.includes(value));
    if (known.length + fresh.length > 0) entry[key] = [...known, ...fresh];
  };
  const keys = new Set(((entry["literals"] as string[] | undefined) ?? []).map((one) => one.split("=")[0]));
  const double = literals.find((one) => keys.has(one.split("=")[0]));
  if (double !== undefined) throw new BuildFailure(`literal key ${double.split("=")[0]} already in ${what} ${name}`);
  add("literals", literals);
  add("files", files);
  add("envs", env === "" ? [] : [env]);
  if (behavior !== "") entry["behavior"] = behavior;
  if (flags.disableNameSuffixHash) {
    entry["options"] = { ...(entry["options"] as JsonObject | undefined), disableNameSuffixHash: true };
  }
  file.set(field, list);
}

/** Changes literals of a generator that is there, and where it makes its object. */
export function setData(
  { file, operands }: EditContext,
  field: string,
  what: string,
  flags: { readonly "from-literal": readonly string[]; readonly namespace: string; readonly "new-namespace": string },
): void {
  const [name, ...more] = operands;
  if (name === undefined || more.length > 0) throw new BuildFailure("name must be specified once");
  const list = file.list(field) as JsonObject[];
  const wanted = flags.namespace || "default";
  const entry = list.find((one) => one["name"] === name && namespaceOf(one) === wanted);
  if (entry === undefined) throw new BuildFailure(`unable to find ${what} with name '${name}'`);
  if (flags["from-literal"].length === 0 && flags["new-namespace"] === "") {
    throw new BuildFailure("at least one of [--from-literal, --new-namespace] must be specified");
  }
  const literals = [...((entry["literals"] as string[] | undefined) ?? [])];
  for (const literal of flags["from-literal"]) {
    const key = literal.split("=")[0] ?? "";
    const at = literals.findIndex((one) => one.split("=")[0] === key);
    if (at < 0) throw new BuildFailure(`key '${key}' not found in resource`);
    literals[at] = literal;
  }
  if (literals.length > 0) entry["literals"] = literals;
  if (flags["new-namespace"] !== "") entry["namespace"] = flags["new-namespace"];
  file.set(field, list);
}

/** Takes generators away by their names, with commas between them. */
export function removeData(context: EditContext, field: string, what: string, namespace: string): void {
  const { file, operands } = context;
  const [text, ...more] = operands;
  if (text === undefined) throw new BuildFailure(`at least one ${what} name must be specified`);
  if (more.length > 0) {
    throw new BuildFailure(
      `too many arguments: [${operands.join(" ")}]; to provide multiple ${what}s to remove, please separate ${what} names by commas`,
    );
  }
  const names = text.split(",");
  const list = file.list(field) as JsonObject[];
  const isMeant = (one: JsonObject): boolean =>
    names.includes(textAt(one, "name")) && namespaceOf(one) === (namespace || "default");
  const gone = list.filter(isMeant).map((one) => one["name"]);
  if (gone.length === 0) throw new BuildFailure(`no specified ${what}(s) were found in the kustomization.yaml file`);
  for (const name of names)
    if (!gone.includes(name)) say(context, `${what} ${name} doesn't exist in kustomization file`);
  file.set(
    field,
    list.filter((one) => !isMeant(one)),
  );
}
