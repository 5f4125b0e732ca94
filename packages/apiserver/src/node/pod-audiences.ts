import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";

/** Whether a volume of the pod wants tokens for an audience; "" is the server's own. */
export async function wantsAudience(context: ServerContext, pod: KubeObject, audience: string): Promise<boolean> {
  const volumes = listAt(pod, "spec", "volumes");
  for (const source of volumes.flatMap((volume) => listAt(volume, "projected", "sources"))) {
    if (valueAt(source, "serviceAccountToken") === undefined) continue;
    if (textAt(source, "serviceAccountToken", "audience") === audience) return true;
  }
  const { name = "", namespace = "" } = pod.metadata;
  for (const volume of volumes) {
    const claim =
      valueAt(volume, "ephemeral") === undefined
        ? textAt(volume, "persistentVolumeClaim", "claimName")
        : `${name}-${textAt(volume, "name")}`;
    const driver = textAt(volume, "csi", "driver") || (await driverOf(context, namespace, claim));
    if (driver !== "" && (await driverWants(context, driver, audience))) return true;
  }
  return false;
}

/** The driver of the volume that a claim has; "" where there is none. */
async function driverOf(context: ServerContext, namespace: string, claim: string): Promise<string> {
  if (claim === "") return "";
  const found = await readObject(context, "", "persistentvolumeclaims", { name: claim, namespace });
  const volume = textAt(found ?? null, "spec", "volumeName");
  if (volume === "") return "";
  return textAt(
    (await readObject(context, "", "persistentvolumes", { name: volume })) ?? null,
    "spec",
    "csi",
    "driver",
  );
}

async function driverWants(context: ServerContext, name: string, audience: string): Promise<boolean> {
  const driver = await readObject(context, "storage.k8s.io", "csidrivers", { name });
  return listAt(driver ?? null, "spec", "tokenRequests").some((one) => textAt(one, "audience") === audience);
}
