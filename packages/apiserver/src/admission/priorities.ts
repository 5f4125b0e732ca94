import { forbidden, type KubeObject, textAt } from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { allObjects, readObject } from "../storage/read-objects.ts";
import { newPodSpec } from "./pods.ts";

const GROUP = "scheduling.k8s.io";

/** Pods get the number of their priority class, or of the one that is the default; of those there is one at most. */
export function priorities(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "Priority",
    async mutate(request) {
      const spec = newPodSpec(request);
      if (spec === undefined) return;
      const name = textAt(spec, "priorityClassName");
      const found =
        name === "" ? await defaultClass(context()) : await readObject(context(), GROUP, "priorityclasses", { name });
      if (name !== "" && found === undefined) throw refused(request, `no PriorityClass with name ${name} was found`);
      const value = Number(found?.["value"] ?? 0);
      if (found !== undefined) spec["priorityClassName"] = found.metadata.name ?? "";
      const given = spec["priority"];
      if (typeof given === "number" && given !== value) {
        throw refused(
          request,
          `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      spec["priority"] = value;
      const policy = textAt(found, "preemptionPolicy") || "PreemptLowerPriority";
      spec["preemptionPolicy"] = policy;
    },
    async validate({ kind, object, operation, name }) {
      if (kind.group !== GROUP || kind.resource !== "priorityclasses" || object === null) return;
      if (object["globalDefault"] !== true || (operation !== "CREATE" && operation !== "UPDATE")) return;
      const other = await defaultClass(context());
      if (other === undefined || other.metadata.name === object.metadata.name) return;
      throw forbidden(
        kind,
        object.metadata.name ?? name,
        `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
      );
    },
  };
}

const refused = ({ kind, object }: AdmissionRequest, why: string): Error =>
  forbidden(kind, object?.metadata.name ?? "", why);

/** The lowest of several that were made at the same time. */
async function defaultClass(context: ServerContext): Promise<KubeObject | undefined> {
  const all = await allObjects(context, GROUP, "priorityclasses");
  return all
    .filter((one) => one["globalDefault"] === true)
    .toSorted((left, right) => Number(left["value"]) - Number(right["value"]))[0];
}
