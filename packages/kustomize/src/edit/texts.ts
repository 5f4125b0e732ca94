import type { JsonObject } from "@boxship/api";
import { BuildFailure } from "../failure.ts";
import { type EditContext, say } from "./context.ts";

/** `key:value` pairs, with commas between them. */
export function readTexts(operands: readonly string[], what: string): ReadonlyMap<string, string> {
  if (operands.length === 0) throw new BuildFailure(`must specify ${what}`);
  const texts = new Map<string, string>();
  for (const pair of operands.flatMap((operand) => operand.split(","))) {
    const match = /^(?:"?)([^:]+):(.*?)(?:"?)$/.exec(pair);
    if (match === null) throw new BuildFailure(`invalid ${what}: '${pair}' (need k:v pair where v may be quoted)`);
    const [, key = "", value = ""] = match;
    texts.set(key, value.replace(/^(["'])(.*)\1$/, "$2"));
  }
  return texts;
}

/** Adds to a map; what is there is changed only by force. */
export function addTexts({ file, operands }: EditContext, field: string, what: string, force: boolean): void {
  const texts = file.texts(field);
  for (const [key, value] of readTexts(operands, what)) {
    if (Object.hasOwn(texts, key) && !force) throw alreadyThere(what, key);
    texts[key] = value;
  }
  file.set(field, texts);
}

const alreadyThere = (what: string, key: string): BuildFailure =>
  new BuildFailure(`${what} ${key} already in kustomization file. Use --force to override.`);

/** Adds labels that are put on objects, and on templates if they are to be, and into no selector. */
export function addPlainLabels({ file, operands }: EditContext, includeTemplates: boolean, force: boolean): void {
  const labels = file.list("labels") as JsonObject[];
  const isSame = (label: JsonObject): boolean =>
    label["includeSelectors"] !== true && (label["includeTemplates"] === true) === includeTemplates;
  let entry = labels.find(isSame);
  if (entry === undefined) {
    entry = { pairs: {}, ...(includeTemplates ? { includeTemplates } : {}) };
    labels.push(entry);
  }
  const pairs: JsonObject = { ...(entry["pairs"] as JsonObject | undefined) };
  for (const [key, value] of readTexts(operands, "label")) {
    if (Object.hasOwn(pairs, key) && !force) throw alreadyThere("label", key);
    pairs[key] = value;
  }
  entry["pairs"] = pairs;
  file.set("labels", labels);
}

/** Takes keys out of a map, with commas between them. */
export function removeTexts(context: EditContext, field: string, what: string, ignoreMissing: boolean): void {
  const { file, operands } = context;
  if (operands.length === 0) throw new BuildFailure(`must specify ${what}`);
  const texts = file.texts(field);
  const labels = field === "commonLabels" ? (file.list("labels") as JsonObject[]) : [];
  for (const key of operands.flatMap((operand) => operand.split(","))) {
    const holder = labels.find(({ pairs }) => Object.hasOwn((pairs ?? {}) as JsonObject, key));
    if (Object.hasOwn(texts, key)) delete texts[key];
    else if (holder !== undefined) delete (holder["pairs"] as JsonObject)[key];
    else if (!ignoreMissing) throw new BuildFailure(`${what} ${key} is not defined in kustomization file`);
    else say(context, `${what} ${key} is not defined in kustomization file`);
  }
  file.set(field, texts);
  if (field === "commonLabels") {
    file.set(
      "labels",
      labels.filter(({ pairs }) => Object.keys((pairs ?? {}) as JsonObject).length > 0),
    );
  }
}
