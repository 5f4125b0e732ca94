import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { PlainRefusal, Refusal } from "../failure.ts";
import { createObject, deleteObject, isNotFound, type ObjectPlace } from "../request/objects.ts";
import { showLogs } from "../request/pod-log.ts";
import type { Session } from "../session.ts";
import { type AttachFlags, attachTo } from "./attach.ts";
import { waitForPod } from "./wait-pod.ts";

interface RunFlags extends AttachFlags {
  readonly "field-manager": string;
  readonly "leave-stdin-open": boolean;
  readonly "pod-running-timeout": number;
  readonly restart: string;
  readonly rm: boolean;
}

const phaseOf = (pod: KubeObject): string => textAt(pod, "status", "phase");
const isOver = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(phaseOf(pod));

/** Creates a pod, stays with it until it ends, and ends as it did. @throws PlainRefusal with its exit status */
export async function runAttached(session: Session, pod: KubeObject, flags: RunFlags): Promise<void> {
  const mapping = (await session.mapper()).known("", "pods");
  const namespace = await session.namespace();
  const created = await createObject(session, { mapping, namespace }, pod, { fieldManager: flags["field-manager"] });
  const place = { mapping, namespace, name: created.metadata.name ?? "" };
  try {
    await stay(session, place, flags);
  } finally {
    if (flags.rm) await remove(session, place, flags.quiet);
  }
}

async function stay(session: Session, place: ObjectPlace, flags: RunFlags): Promise<void> {
  const timeout = flags["pod-running-timeout"];
  const started = await waitForPod(session, place, (pod) => isOver(pod) || isReady(pod), timeout);
  const container = place.name;
  if (isOver(started)) await showLogs(session, started, container);
  else {
    // What was printed before anybody was attached.
    await showLogs(session, started, container).catch((error: unknown) =>
      session.warn(`warning: couldn't fetch pre-attach logs: ${errorMessage(error)}`),
    );
    try {
      await attachTo(session, started, "", flags);
    } catch (error) {
      session.warn(
        `warning: couldn't attach to pod/${place.name}, falling back to streaming logs: ${errorMessage(error)}`,
      );
      await showLogs(session, started, container);
    }
  }
  if (flags["leave-stdin-open"] || flags.restart === "Always") return;
  const isEnd = (pod: KubeObject): boolean => (flags.restart === "Never" ? isOver(pod) : phaseOf(pod) === "Succeeded");
  throwFailure(await waitForPod(session, place, isEnd, timeout));
}

const isReady = (pod: KubeObject): boolean =>
  phaseOf(pod) === "Running" &&
  listAt(pod, "status", "conditions").some(
    (one) => textAt(one, "type") === "Ready" && textAt(one, "status") === "True",
  );

function throwFailure(pod: KubeObject): void {
  if (phaseOf(pod) === "Succeeded") return;
  const { name = "", namespace = "" } = pod.metadata;
  const [status] = listAt(pod, "status", "containerStatuses");
  const ended: Json | undefined = valueAt(status, "state", "terminated");
  const code = Number(valueAt(ended, "exitCode") ?? 0);
  if (code === 0) throw new Refusal(`pod ${namespace}/${name} failed with unknown exit code`);
  const text = `pod ${namespace}/${name} terminated (${textAt(ended, "reason")})\n${textAt(ended, "message")}`;
  throw new PlainRefusal(text, code);
}

async function remove(session: Session, place: ObjectPlace, quiet: boolean): Promise<void> {
  const { namespace, name } = place;
  try {
    await deleteObject(session, place, { propagationPolicy: "Background" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return;
  }
  if (!quiet) session.print(`pod ${JSON.stringify(name)} deleted from ${namespace} namespace`);
}
