import { type KubeObject, type LabelSelector, matchesLabels } from "@boxship/api";
import { type Informer, type InformerHandler, keyOf, type WorkQueue } from "@boxship/client";
import { controllerOf } from "./owners.ts";

export interface EnqueueOwnersOptions<Owner extends KubeObject> {
  readonly queue: WorkQueue<string>;
  readonly owners: Informer<Owner>;
  readonly dependents: { handle(handler: InformerHandler<KubeObject>): Disposable };
  readonly selector: (owner: Owner) => LabelSelector | undefined;
}

/**
 * Owners come when they change, when something that they control does, and when something that nobody controls appears
 * or changes its labels so that they may adopt it.
 */
export function enqueueOwners<Owner extends KubeObject>(options: EnqueueOwnersOptions<Owner>): void {
  const { queue, owners } = options;
  const add = (owner: Owner): void => queue.add(keyOf(owner));
  owners.handle({ added: add, updated: add, deleted: add });
  options.dependents.handle({
    added: (object) => touch(options, object),
    updated(object, before) {
      const [now, then] = [controllerOf(object), controllerOf(before)];
      if (then !== undefined && then.uid !== now?.uid) touch(options, before);
      if (now !== undefined) touch(options, object);
      else if (then !== undefined || !sameLabels(object, before)) touch(options, object);
    },
    deleted: (object) => touch(options, object),
  });
}

function touch<Owner extends KubeObject>(
  { queue, owners, selector }: EnqueueOwnersOptions<Owner>,
  object: KubeObject,
): void {
  const { namespace = "", labels } = object.metadata;
  const controller = controllerOf(object);
  if (controller !== undefined) {
    const owner = owners.get(namespace === "" ? controller.name : `${namespace}/${controller.name}`);
    if (owner?.metadata.uid === controller.uid) queue.add(keyOf(owner));
    return;
  }
  if (object.metadata.deletionTimestamp !== undefined) return;
  for (const owner of owners.find("namespace", namespace)) {
    const selected = selector(owner);
    if (selected !== undefined && selected.length > 0 && matchesLabels(selected, labels)) queue.add(keyOf(owner));
  }
}

function sameLabels(left: KubeObject, right: KubeObject): boolean {
  const [a, b] = [left.metadata.labels ?? {}, right.metadata.labels ?? {}];
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
