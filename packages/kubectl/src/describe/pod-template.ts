import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import { writeContainers } from "./containers.ts";
import { Lines, mapText, orNone } from "./lines.ts";
import { writeVolumes } from "./volumes.ts";

export function writeTemplate(lines: Lines, template: Json | undefined): void {
  lines.raw("Pod Template:\n");
  writeTemplateBody(lines, template);
}

function writeTemplateBody(lines: Lines, template: Json | undefined): void {
  const spec = valueAt(template, "spec");
  lines.labels("  Labels", valueAt(template, "metadata", "labels"));
  const annotations = valueAt(template, "metadata", "annotations");
  if (isObject(annotations) && Object.keys(annotations).length > 0) lines.annotations("  Annotations", annotations);
  const account = textAt(spec, "serviceAccountName");
  if (account !== "") lines.raw(`  Service Account:\t${account}\n`);
  if (listAt(spec, "initContainers").length > 0)
    writeContainers(lines, "Init Containers", listAt(spec, "initContainers"), [], "  ");
  writeContainers(lines, "Containers", listAt(spec, "containers"), [], "  ");
  writeVolumes(lines, listAt(spec, "volumes"), "  ");
  const priority = textAt(spec, "priorityClassName");
  if (priority !== "") lines.raw(`  Priority Class Name:\t${priority}\n`);
  lines.labels("  Node-Selectors", valueAt(spec, "nodeSelector"));
  writeTolerations(lines, listAt(spec, "tolerations"), "  ");
}

/** A template alone, as the history of a rollout shows it. */
export function describeTemplate(template: Json): string {
  const lines = new Lines();
  writeTemplate(lines, template);
  return lines.plainText;
}

export function writeTolerations(lines: Lines, tolerations: readonly Json[], indent = ""): void {
  const texts = tolerations.map(tolerationText);
  if (texts.length === 0) return lines.raw(`${indent}Tolerations:\t<none>\n`);
  texts.sort().forEach((text, index) => lines.raw(`${indent}${index === 0 ? "Tolerations:" : ""}\t${text}\n`));
}

function tolerationText(toleration: Json): string {
  const [key, value, effect] = ["key", "value", "effect"].map((field) => textAt(toleration, field));
  const operator = textAt(toleration, "operator");
  let text = key ?? "";
  if (value !== "") text += `=${value}`;
  if (effect !== "") text += `:${effect}`;
  if (operator === "Exists" && value === "") text += key !== "" || effect !== "" ? " op=Exists" : "op=Exists";
  const seconds = valueAt(toleration, "tolerationSeconds");
  return seconds === undefined ? text : `${text} for ${textAt(seconds)}s`;
}

/** `app=web,x in (a,b)` */
export function selectorText(selector: Json | undefined): string {
  const equal = mapText(valueAt(selector, "matchLabels"));
  const others = listAt(selector, "matchExpressions").map((one) => {
    const [key, operator] = [textAt(one, "key"), textAt(one, "operator")];
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator.toLowerCase()} (${listAt(one, "values")
      .map((value) => textAt(value))
      .sort()
      .join(",")})`;
  });
  return orNone([...(equal === "" ? [] : [equal]), ...others].join(","));
}
