import { deepEqual, forbidden, isObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { newPodSpec } from "./pods.ts";

/** Pods get what their runtime costs, and go where it is to be had. */
export function runtimeClasses(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "RuntimeClass",
    async mutate(request) {
      const spec = newPodSpec(request);
      if (spec === undefined) return;
      const found = await classOf(context(), request);
      const cost = valueAt(found, "overhead", "podFixed");
      if (cost !== undefined) {
        if (spec["overhead"] !== undefined && !deepEqual(spec["overhead"], cost))
          throw refused(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec["overhead"] = cost;
      }
      const where = valueAt(found, "scheduling", "nodeSelector");
      if (isObject(where)) {
        const own = isObject(spec["nodeSelector"]) ? spec["nodeSelector"] : {};
        const key = Object.keys(where).find((name) => own[name] !== undefined && own[name] !== where[name]);
        if (key !== undefined) {
          const words = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${textAt(where, key)}; pod.spec.nodeSelector[${key}] = ${textAt(own, key)}`;
          throw refused(request, words);
        }
        spec["nodeSelector"] = { ...own, ...where };
      }
      const tolerations = listAt(found, "scheduling", "tolerations");
      const own = listAt(spec, "tolerations");
      const more = tolerations.filter((one) => !own.some((other) => deepEqual(one, other)));
      if (more.length > 0) spec["tolerations"] = [...own, ...more];
    },
    async validate(request) {
      const spec = newPodSpec(request);
      if (spec?.["overhead"] === undefined) return;
      const found = await classOf(context(), request);
      if (valueAt(found, "overhead", "podFixed") === undefined)
        throw refused(request, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    },
  };
}

const refused = ({ kind, object }: AdmissionRequest, why: string): Error =>
  forbidden(kind, object?.metadata.name ?? "", why);

async function classOf(context: ServerContext, request: AdmissionRequest): Promise<KubeObject | undefined> {
  const name = textAt(request.object ?? undefined, "spec", "runtimeClassName");
  if (name === "") return undefined;
  const found = await readObject(context, "node.k8s.io", "runtimeclasses", { name });
  if (found === undefined) throw refused(request, `pod rejected: RuntimeClass "${name}" not found`);
  return found;
}
