import type { LiveSandbox, ManagerContext } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import { detachCni } from "./cni-attach.ts";
import { dismissGuest } from "./guests.ts";

/** Takes an endpoint's interface away, by whoever made it. Idempotent. */
export async function removeInterface(
  context: ManagerContext,
  { stored }: LiveSandbox,
  endpoint: StoredEndpoint,
): Promise<void> {
  const { link, interfaceName } = endpoint;
  if (link === undefined) return;
  if (link.kind === "cni") {
    await detachCni(context, endpoint);
    await dismissGuest(context, endpoint);
    return;
  }
  await context.thread.call("detachEndpoint", { namespace: stored.path, interfaceName, link });
}
