import { BuildFailure, doing } from "../failure.ts";
import { findAll, lookUp, splitDotted } from "../fields/paths.ts";
import type { FieldOptions, Replacement, SourceSelector, TargetSelector } from "../kustomization.ts";
import { effectiveNamespace, idText, type ResId } from "../target/res-id.ts";
import type { Resource } from "../target/resource.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { SelectorTest, selectorId } from "../target/selectors.ts";
import { type Kind, Node } from "../yaml/node.ts";
import { replaceInText } from "./text-data.ts";

const NAME = "metadata.name";

/** Copies a field of one object, or a text, into fields of others. */
export function replaceFields(map: ResourceMap, replacements: readonly Replacement[]): void {
  for (const { source, sourceValue, targets } of replacements) {
    if ((source === undefined && sourceValue === undefined) || targets === undefined) {
      throw new BuildFailure("replacements must specify a source and at least one target");
    }
    const value = valueOf(map.resources, source, sourceValue);
    for (const target of targets) replaceIn(map.resources, value, target);
  }
}

function valueOf(resources: readonly Resource[], source: SourceSelector | undefined, text: string | undefined): Node {
  if (text !== undefined && source !== undefined) {
    throw new BuildFailure("value and resource selectors are mutually exclusive");
  }
  if (text !== undefined || source === undefined) return Node.scalar(text ?? "");
  const from = selectSource(resources, source);
  const path = source.fieldPath || NAME;
  const found = doing("error looking up replacement source", () => lookUp(from.node, splitDotted(path)));
  if (found === undefined || found.isEmpty) {
    throw new BuildFailure(`fieldPath \`${path}\` is missing for replacement source ${idText(selectorId(source))}`);
  }
  return refine(found, source.options);
}

function selectSource(resources: readonly Resource[], source: SourceSelector): Resource {
  const wanted = selectorId(source);
  const found = resources.filter((resource) => idsOf(resource).some((id) => isSelectedBy(id, wanted)));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const what = first === undefined ? "nothing selected by" : "multiple matches for selector";
  throw new BuildFailure(`${what} ${sourceText(source)}`);
}

function sourceText(source: SourceSelector): string {
  const { fieldPath = "", options } = source;
  const parts = [idText(selectorId(source))];
  if (fieldPath !== "") parts.push(fieldPath);
  if (options !== undefined && ((options.delimiter ?? "") !== "" || options.create === true)) {
    parts.push(`${options.delimiter ?? ""}(${options.index ?? 0}), create=${options.create === true}`);
  }
  return parts.join(":");
}

/** Its present name as it is written, and those that it had. */
function idsOf(resource: Resource): readonly ResId[] {
  return [resource.id, ...resource.previousIds];
}

function isSelectedBy(id: ResId, selector: ResId): boolean {
  const { group, version, kind } = selector.gvk;
  return (
    (selector.name === "" || selector.name === id.name) &&
    (selector.namespace === "" || effectiveNamespace(selector) === effectiveNamespace(id)) &&
    (group === "" || group === id.gvk.group) &&
    (version === "" || version === id.gvk.version) &&
    (kind === "" || kind === id.gvk.kind)
  );
}

function refine(value: Node, options: FieldOptions | undefined): Node {
  const { delimiter = "", index = 0 } = options ?? {};
  if (delimiter === "") return value;
  if (value.kind !== "scalar") throw new BuildFailure("delimiter option can only be used with scalar nodes");
  const part = value.text.split(delimiter)[index];
  if (index < 0 || part === undefined) {
    throw new BuildFailure(`options.index ${index} is out of bounds for value ${value.text}`);
  }
  return Node.scalar(part, value.tag, value.style);
}

function replaceIn(resources: readonly Resource[], value: Node, target: TargetSelector): void {
  const { select, reject = [], options } = target;
  if (select === undefined) throw new BuildFailure("target must specify resources to select");
  const paths = target.fieldPaths === undefined || target.fieldPaths.length === 0 ? [NAME] : target.fieldPaths;
  const selected = doing("error creating target selector", () => new SelectorTest(select));
  const rejected = reject.map((one) => ({
    one,
    test: doing("error creating target selector", () => new SelectorTest(one)),
  }));
  for (const resource of resources) {
    if (!selected.labelled(resource)) continue;
    if (rejected.some(({ one, test }) => hasLabels(one) && test.labelled(resource))) continue;
    const ids = idsOf(resource);
    if (rejected.some(({ one, test }) => hasId(one) && ids.some((id) => test.id(id)))) continue;
    if (!ids.some((id) => selected.id(id))) continue;
    for (const path of paths) copyTo(resource.node, value, path, options);
  }
}

const hasLabels = (selector: { readonly labelSelector?: string; readonly annotationSelector?: string }): boolean =>
  (selector.labelSelector ?? "") !== "" || (selector.annotationSelector ?? "") !== "";

const hasId = (selector: Parameters<typeof selectorId>[0]): boolean => {
  const { gvk, name, namespace } = selectorId(selector);
  return [gvk.group, gvk.version, gvk.kind, name, namespace].some((text) => text !== "");
};

function copyTo(target: Node, value: Node, path: string, options: FieldOptions | undefined): void {
  const create: Kind | undefined = options?.create === true ? value.kind : undefined;
  const steps = splitDotted(path);
  if (replaceInText(target, value, steps, create)) return;
  const what = `unable to find ${create === undefined ? "" : "or create "}field ${JSON.stringify(path)} in replacement target`;
  const fields = doing(what, () => findAll(target, steps, create));
  if (fields.length === 0) throw new BuildFailure(what);
  for (const field of fields) setField(field, value, options);
}

function setField(field: Node, value: Node, options: FieldOptions | undefined): void {
  const copy = value.copy();
  const { delimiter = "", index = 0 } = options ?? {};
  if (delimiter !== "") {
    if (field.kind !== "scalar") throw new BuildFailure("delimiter option can only be used with scalar nodes");
    copy.text = withPart(field.text.split(delimiter), value.isNull ? "" : value.text, index).join(delimiter);
  }
  if (field.kind === "scalar") field.text = copy.text;
  else field.become(copy);
}

function withPart(parts: readonly string[], part: string, index: number): readonly string[] {
  if (index < 0) return [part, ...parts];
  return index >= parts.length ? [...parts, part] : parts.with(index, part);
}
