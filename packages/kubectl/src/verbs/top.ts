import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { selectorFlag } from "../global-flags.ts";

export const command = defineCommand({
  usage: "(pod | node) [NAME | -l label]",
  summary: "Display resource (CPU/memory) usage",
  flags: {
    ...selectorFlag,
    "all-namespaces": bool(false, { short: "A" }),
    containers: bool(),
    "field-selector": str(),
    "no-headers": bool(),
    "show-capacity": bool(),
    "show-swap": bool(),
    "sort-by": str(),
    sum: bool(),
    "use-protocol-buffers": bool(true),
  },
  async run(session) {
    const { groups } = (await session.mapper()).discovery;
    if (!groups.some(({ group }) => group === "metrics.k8s.io")) throw new Refusal("Metrics API not available");
    throw new Refusal("kubectl top is not supported: usage is not shown yet");
  },
});
