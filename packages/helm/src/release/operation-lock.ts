import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type KubeObject, textAt } from "@boxship/api";
import { AlreadyExists, FailedPrecondition } from "@boxship/base/errors";
import {
  createObject,
  deleteObject,
  findObject,
  isConflict,
  replaceObject,
  type Session,
} from "@boxship/kubectl/cluster";

/** How long a holder that says nothing is believed to live. */
const SECONDS = 30;

/** When the process was started, in the kernel's ticks: the number of a process that ended is given out again. */
function startOf(pid: number): string {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[19] ?? ""
    );
  } catch {
    return "";
  }
}

const own = (): string => `${hostname()}/${process.pid}/${startOf(process.pid)}`;

function isAlive(lease: KubeObject): boolean {
  const holder = textAt(lease, "spec", "holderIdentity");
  const [host = "", pid = "", start = ""] = holder.split("/");
  if (holder === "") return false;
  if (host === hostname() && start !== "") return startOf(Number(pid)) === start;
  return Date.now() - Date.parse(textAt(lease, "spec", "renewTime")) < SECONDS * 1000;
}

/**
 * Takes a release for one command. One whose command has died is free at once on the same host, and after half a
 * minute elsewhere.
 *
 * @throws FailedPrecondition while another command works on the release
 */
export async function lockRelease(session: Session, namespace: string, name: string): Promise<AsyncDisposable> {
  const mapping = (await session.mapper()).known("coordination.k8s.io", "leases");
  const place = { mapping, namespace, name: `sh.helm.release.v1.${name}` };
  const busy = (holder: string): FailedPrecondition =>
    new FailedPrecondition(`another operation (install/upgrade/rollback) is in progress on release ${name}`, {
      remedy: `it is process ${holder.split("/")[1] ?? "?"} of ${holder.split("/")[0] ?? "?"}: wait for its end, or end it`,
    });
  const wanted = (before?: KubeObject) => ({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: before?.metadata ?? { name: place.name, namespace },
    spec: {
      holderIdentity: own(),
      leaseDurationSeconds: SECONDS,
      renewTime: new Date().toISOString().replace("Z", "000Z"),
    },
  });
  const before = await findObject(session, place);
  if (before !== undefined && isAlive(before)) throw busy(textAt(before, "spec", "holderIdentity"));
  let lease: KubeObject;
  try {
    lease = await (before === undefined
      ? createObject(session, place, wanted())
      : replaceObject(session, place, wanted(before)));
  } catch (error) {
    if (!isConflict(error) && !(error instanceof AlreadyExists)) throw error;
    throw busy("another/command");
  }
  let renewing: Promise<unknown> = Promise.resolve();
  const timer = setInterval(
    () => {
      renewing = replaceObject(session, place, wanted(lease)).then(
        (fresh) => (lease = fresh),
        // One that cannot be renewed ends by itself; the operation's own calls say what is wrong.
        () => undefined,
      );
    },
    (SECONDS * 1000) / 3,
  );
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await renewing;
      await deleteObject(session, place, {}).catch(() => undefined);
    },
  };
}
