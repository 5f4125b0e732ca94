import type { Json } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { int, str } from "../flags.ts";
import { createGenerated, generatorFlags, objectOf } from "../generate/generator.ts";
import { fileFlags } from "../global-flags.ts";
import { forEachObject } from "./objects-of.ts";

export const command = defineCommand({
  usage: "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]",
  summary: "Auto-scale a deployment, replica set, stateful set, or replication controller",
  flags: {
    ...fileFlags,
    ...generatorFlags,
    "field-manager": str("kubectl-autoscale"),
    cpu: str(),
    "cpu-percent": int(-1),
    max: int(-1),
    memory: str(),
    min: int(-1),
    name: str(),
  },
  required: ["max"],
  async run(session, { flags, operands, changed }) {
    if (changed.has("cpu-percent")) {
      session.warn(
        "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).",
      );
    }
    if (flags.max < 1) throw new Refusal(`--max=MAXPODS is required and must be at least 1, max: ${flags.max}`);
    if (flags.max < flags.min)
      throw new Refusal(`--max=MAXPODS must be larger or equal to --min=MINPODS, max: ${flags.max}, min: ${flags.min}`);
    const cpu = flags.cpu !== "" ? flags.cpu : flags["cpu-percent"] >= 0 ? `${flags["cpu-percent"]}%` : "";
    const metrics = [metric("cpu", cpu), metric("memory", flags.memory)].filter((one) => one !== undefined);
    await forEachObject(session, operands, flags, async ({ object, name, mapping }) => {
      if (!mapping.subresources.includes("scale")) {
        throw new Refusal(`cannot autoscale a ${mapping.kind}`);
      }
      const scaleTargetRef = { kind: object.kind, name, apiVersion: object.apiVersion };
      const hpa = objectOf(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        { name: flags.name || name },
        {
          spec: {
            scaleTargetRef,
            ...(flags.min > 0 && { minReplicas: flags.min }),
            maxReplicas: flags.max,
            ...(metrics.length > 0 && { metrics }),
          },
          status: { desiredReplicas: 0, currentMetrics: null },
        },
      );
      await createGenerated(session, hpa, flags, "autoscaled");
    });
  },
});

function metric(name: string, value: string): Json | undefined {
  if (value === "") return undefined;
  const target = value.endsWith("%")
    ? { type: "Utilization", averageUtilization: Number(value.slice(0, -1)) }
    : { type: "AverageValue", averageValue: value };
  return { type: "Resource", resource: { name, target } };
}
