import type { Json, JsonObject } from "@boxship/api";
import { deepCopy, isObject, textAt, valueAt } from "@boxship/api";
import { PlainRefusal, Refusal } from "../failure.ts";
import { array, int, str } from "../flags.ts";
import { getObject } from "../request/objects.ts";
import { resolveTargets } from "../resource/targets.ts";
import { generator, objectOf } from "./generator.ts";

/** A container's name after its image. */
function nameOfImage(image: string): string {
  const last = image.split("/").at(-1) ?? "";
  return last.replace(/@.*$/, "").replace(/:.*$/, "").replaceAll("_", "-").toLowerCase();
}

export const deployment = generator({
  usage: "NAME --image=image -- [COMMAND] [args...]",
  summary: "Create a deployment with the specified name",
  flags: { image: array(), port: int(-1), replicas: int(1, { short: "r" }) },
  required: ["image"],
  build({ flags, name, words, changed }) {
    if (flags.replicas < 0) throw new Refusal(`--replicas must be greater than or equal to 0: ${flags.replicas}`);
    if (words.length > 0 && flags.image.length > 1) {
      throw new Refusal("cannot specify multiple --image options and command");
    }
    const labels = { app: name };
    const containers = flags.image.map(
      (image, index): JsonObject => ({
        name: nameOfImage(image),
        image,
        ...(words.length > 0 && { command: [...words] }),
        ...(changed.has("port") && flags.port >= 0 && index === 0 && { ports: [{ containerPort: flags.port }] }),
        resources: {},
      }),
    );
    return objectOf(
      "apps/v1",
      "Deployment",
      { name, labels },
      {
        spec: {
          replicas: flags.replicas,
          selector: { matchLabels: { ...labels } },
          template: { metadata: { labels: { ...labels } }, spec: { containers } },
          strategy: {},
        },
        status: {},
      },
    );
  },
});

const template = (name: string, image: string, words: readonly string[], restartPolicy: string): Json => ({
  metadata: {},
  spec: {
    containers: [{ name, image, ...(words.length > 0 && { command: [...words] }), resources: {} }],
    restartPolicy,
  },
});

export const job = generator({
  usage: "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]",
  summary: "Create a job with the specified name",
  flags: { from: str(), image: str() },
  async build({ session, flags, name, words }) {
    if ((flags.image === "") === (flags.from === "")) throw new Refusal("either --image or --from must be specified");
    if (flags.from === "") {
      return objectOf(
        "batch/v1",
        "Job",
        { name },
        { spec: { template: template(name, flags.image, words, "Never") }, status: {} },
      );
    }
    if (words.length > 0) throw new Refusal("cannot specify --from and command");
    const [target] = await resolveTargets(session, [flags.from]);
    if (target === undefined || target.mapping.kind !== "CronJob") {
      throw new Refusal(`from must be an existing cronjob`);
    }
    const cron = await getObject(session, target);
    const spec = valueAt(cron, "spec", "jobTemplate", "spec");
    const labels = valueAt(cron, "spec", "jobTemplate", "metadata", "labels");
    const annotations = valueAt(cron, "spec", "jobTemplate", "metadata", "annotations");
    const owner = {
      apiVersion: "batch/v1",
      kind: "CronJob",
      name: textAt(cron, "metadata", "name"),
      uid: textAt(cron, "metadata", "uid"),
      controller: true,
    };
    const metadata: JsonObject = {
      name,
      ...(isObject(labels) && { labels: deepCopy(labels) }),
      annotations: { "cronjob.kubernetes.io/instantiate": "manual", ...(isObject(annotations) ? annotations : {}) },
      ownerReferences: [owner],
    };
    return objectOf("batch/v1", "Job", metadata, { spec: isObject(spec) ? deepCopy(spec) : {}, status: {} });
  },
});

export const cronjob = generator({
  usage: "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...]",
  summary: "Create a cron job with the specified name",
  flags: { image: str(), restart: str(), schedule: str() },
  required: ["image", "schedule"],
  build({ flags, name, words }) {
    if (!["", "OnFailure", "Never"].includes(flags.restart))
      throw new PlainRefusal(`error: invalid restart policy: ${flags.restart}`);
    return objectOf(
      "batch/v1",
      "CronJob",
      { name },
      {
        spec: {
          schedule: flags.schedule,
          jobTemplate: {
            metadata: { name },
            spec: { template: template(name, flags.image, words, flags.restart || "OnFailure") },
          },
        },
        status: {},
      },
    );
  },
});
