import { parseQuantity } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerDefinition, Reconcile } from "../contract.ts";
import { PERSISTENT_VOLUME_CLAIMS } from "../shared/resources.ts";
import type { Claim } from "../types/volumes.ts";

const sizeOf = (text: string | undefined): bigint => parseQuantity(text ?? "")?.nano ?? 0n;

/** A claim that is bound, and asks for more than its volume has. */
const wantsMore = ({ spec, status }: Claim): boolean =>
  status?.phase === "Bound" && sizeOf(spec?.resources?.requests?.["storage"]) > sizeOf(status.capacity?.["storage"]);

/** Says who makes volumes larger: the resizer of their driver, which does not run here. */
export const expandController: ControllerDefinition = {
  name: "volume_expand",
  open({ informers, queue, events }): Reconcile {
    const claims = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS);
    claims.handle({
      added: (claim) => {
        if (wantsMore(claim)) queue.add(keyOf(claim));
      },
      updated: (claim, before) => {
        if (wantsMore(claim) && !wantsMore(before)) queue.add(keyOf(claim));
      },
    });
    return (key) => {
      const claim = claims.get(key);
      if (claim !== undefined && wantsMore(claim)) {
        events.record(claim, "Normal", "ExternalExpanding", "waiting for an external controller to expand this PVC");
      }
      return Promise.resolve();
    };
  },
};
