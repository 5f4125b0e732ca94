import type { KubeObject } from "@boxship/api";
import type { ControllerDefinition, Reconcile } from "../contract.ts";
import { NODES, refOf } from "../shared/resources.ts";

const ANNOTATION = "node.alpha.kubernetes.io/ttl";

/** From so many nodes on it is so many seconds, until there are fewer than the other number: it does not go to and fro. */
const STEPS = [
  { above: 0, below: 0, seconds: 0 },
  { above: 100, below: 90, seconds: 15 },
  { above: 500, below: 450, seconds: 30 },
  { above: 1000, below: 900, seconds: 60 },
  { above: 2000, below: 1800, seconds: 300 },
  { above: 10_000, below: 9000, seconds: 600 },
] as const;

/** Says to nodes how long they may keep secrets and config maps before they ask again: longer in larger clusters. */
export const nodeTtlController: ControllerDefinition = {
  name: "ttl-controller",
  workers: 1,
  open({ informers, queue, client }): Reconcile {
    const nodes = informers.of<KubeObject>(NODES);
    let count = 0;
    let step = 0;
    const counted = (change: 1 | -1): void => {
      count += change;
      const before = step;
      while (count > (STEPS[step + 1]?.above ?? Number.POSITIVE_INFINITY)) step++;
      while (count < (STEPS[step]?.below ?? 0)) step--;
      if (step !== before) for (const { metadata } of nodes.all()) queue.add(metadata.name ?? "");
    };
    nodes.handle({
      added: ({ metadata }) => {
        counted(1);
        queue.add(metadata.name ?? "");
      },
      updated: ({ metadata }) => queue.add(metadata.name ?? ""),
      deleted: () => counted(-1),
    });
    return async (name) => {
      const node = nodes.get(name);
      const seconds = String(STEPS[step]?.seconds ?? 0);
      if (node === undefined || node.metadata.annotations?.[ANNOTATION] === seconds) return;
      const { uid = "" } = node.metadata;
      await client.patch(refOf(NODES, node), "merge", { metadata: { uid, annotations: { [ANNOTATION]: seconds } } });
    };
  },
};
