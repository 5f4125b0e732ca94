import { join } from "node:path";
import type { Clock } from "@boxship/base";
import { detachMountsBelow } from "@boxship/kernel";
import { closedErrors } from "./errors.ts";
import { removeRuleset, tableName } from "./firewall/ruleset.ts";
import { checkInstanceName, isOwnAlias, isOwnLinkName } from "./names.ts";
import { removeServices } from "./services/service-ruleset.ts";
import { NetworkThread } from "./worker/network-thread.ts";

export interface RemoveTracesOptions {
  /** Instance name. */
  readonly name: string;
  /** As in the options of the manager. */
  readonly runDir: string;
  readonly clock: Clock;
}

/**
 * Takes what carries an instance's name out of the kernel without reading a record: the nftables tables, links and the
 * mounts of namespaces. For a state that no manager can open; no manager of the instance may be open. Idempotent.
 */
export async function removeTraces({ name, runDir, clock }: RemoveTracesOptions): Promise<void> {
  checkInstanceName(name);
  await using thread = new NetworkThread({ clock, idle: 1000 });
  // Namespaces first: with them go the links in them.
  detachMountsBelow(join(runDir, "netns"));
  await closedErrors(thread.call("runNft", [...removeRuleset(tableName(name)), ...removeServices(name)]));
  const { links } = await closedErrors(thread.call("readHostState", undefined));
  for (const link of links) {
    if (!isOwnLinkName(name, link.name) && !isOwnAlias(name, link.alias)) continue;
    await closedErrors(thread.call("removeLink", link.name));
  }
}
