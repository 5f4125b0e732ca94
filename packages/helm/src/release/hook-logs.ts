import { type KubeObject, listAt, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { NotFound } from "@boxship/base/errors";
import { findObject, listObjects, openPodLog, type Session } from "@boxship/kubectl/cluster";
import type { StoredHook } from "./release.ts";
import type { Owner } from "./resources.ts";

const namesIn = (pod: KubeObject, field: string): readonly string[] =>
  listAt(pod, "spec", field).map((one) => textAt(one, "name"));

async function write(session: Session, pod: KubeObject, container: string, to: { write(text: string): unknown }) {
  for await (const text of await openPodLog(session, pod.metadata, { container })) to.write(text);
}

/** Writes what the containers of a hook have written, to standard error. */
export async function showHookLogs(session: Session, hook: StoredHook, owner: Owner): Promise<void> {
  const namespace = textAt(loadYaml(hook.manifest), "metadata", "namespace") || owner.namespace;
  const mapping = (await session.mapper()).known("", "pods");
  const selectors: Readonly<Record<string, { readonly labelSelector?: string; readonly fieldSelector?: string }>> = {
    Job: { labelSelector: `job-name=${hook.name}` },
    Pod: { fieldSelector: `metadata.name=${hook.name}` },
  };
  const selector = selectors[hook.kind];
  if (selector === undefined) return;
  for (const pod of await listObjects(session, mapping, namespace, selector)) {
    for (const container of namesIn(pod, "containers")) await write(session, pod, container, session.io.stderr);
  }
}

/** Writes the logs of a test's pod, each container's under a title. @throws NotFound where the pod is gone */
export async function showTestLogs(session: Session, hook: StoredHook, owner: Owner): Promise<void> {
  const mapping = (await session.mapper()).known("", "pods");
  const pod = await findObject(session, { mapping, namespace: owner.namespace, name: hook.name });
  if (pod === undefined) throw new NotFound(`unable to get pod ${hook.name}: it is not there`);
  for (const container of [...namesIn(pod, "initContainers"), ...namesIn(pod, "containers")]) {
    session.io.stdout.write(`POD LOGS: ${hook.name} (${container})\n`);
    await write(session, pod, container, session.io.stdout);
    session.io.stdout.write("\n");
  }
}
