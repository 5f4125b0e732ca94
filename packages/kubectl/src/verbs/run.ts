import { applyMergePatch, type Json, type JsonObject, type KubeObject } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { array, bool, duration, str } from "../flags.ts";
import { createGenerated, generatorFlags, objectOf, parseLabels } from "../generate/generator.ts";
import { parseDocuments } from "../resource/yaml-documents.ts";

export const command = defineCommand({
  usage:
    'NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...]',
  summary: "Create and run a particular image in a pod",
  flags: {
    ...generatorFlags,
    "field-manager": str("kubectl-run"),
    annotations: array(),
    attach: bool(),
    command: bool(),
    env: array(),
    expose: bool(),
    image: str(),
    "image-pull-policy": str(),
    labels: str("", { short: "l" }),
    "leave-stdin-open": bool(),
    "override-type": str("merge"),
    overrides: str(),
    "pod-running-timeout": duration(60_000),
    port: str(),
    privileged: bool(),
    quiet: bool(false, { short: "q" }),
    restart: str("Always"),
    rm: bool(),
    stdin: bool(false, { short: "i" }),
    tty: bool(false, { short: "t" }),
  },
  required: ["image"],
  async run(session, { flags, operands, changed }) {
    const [name, ...words] = operands;
    if (name === undefined)
      throw new PlainRefusal("error: NAME is required for run\nSee 'kubectl run -h' for help and examples");
    if ((flags.attach || flags.stdin || flags.tty || flags.rm) && flags["dry-run"] === "none") {
      throw new Refusal("attaching (--attach, --stdin, --tty, --rm) is not supported: it needs a node");
    }
    if (!["Always", "OnFailure", "Never"].includes(flags.restart))
      throw new Refusal(`invalid restart policy: ${flags.restart}`);
    if (
      flags["image-pull-policy"] !== "" &&
      !["Always", "IfNotPresent", "Never"].includes(flags["image-pull-policy"])
    ) {
      throw new Refusal(`invalid image pull policy: ${flags["image-pull-policy"]}`);
    }
    if (flags.image.trim() === "") throw new PlainRefusal(`error: --image is required`);
    if (flags.expose && flags.port === "") throw new Refusal("--port must be set when exposing a service");
    const labels = flags.labels === "" ? { run: name } : parseLabels(flags.labels);
    const pod = overridden(
      podOf(name, labels, words, flags),
      changed.has("overrides") ? flags.overrides : "",
      flags["override-type"],
    );
    await createGenerated(session, pod, flags);
    if (!flags.expose) return;
    const port = Number(flags.port);
    const service = objectOf(
      "v1",
      "Service",
      { name },
      {
        spec: { ports: [{ protocol: "TCP", port, targetPort: port }], selector: labels },
        status: { loadBalancer: {} },
      },
    );
    await createGenerated(session, service, flags);
  },
});

interface PodFlags {
  readonly annotations: readonly string[];
  readonly command: boolean;
  readonly env: readonly string[];
  readonly image: string;
  readonly "image-pull-policy": string;
  readonly port: string;
  readonly privileged: boolean;
  readonly restart: string;
  readonly stdin: boolean;
  readonly tty: boolean;
}

function podOf(name: string, labels: JsonObject, words: readonly string[], flags: PodFlags): KubeObject {
  const env = flags.env.map((pair): Json => {
    const at = pair.indexOf("=");
    if (at <= 0) throw new Refusal(`invalid env: ${pair}`);
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
  const annotations = Object.fromEntries(
    flags.annotations.map((one) => [one.split("=")[0] ?? "", one.slice(one.indexOf("=") + 1)]),
  );
  const container: JsonObject = {
    name,
    image: flags.image,
    ...(words.length > 0 && { [flags.command ? "command" : "args"]: [...words] }),
    ...(flags.port !== "" && { ports: [{ containerPort: Number(flags.port) }] }),
    ...(env.length > 0 && { env }),
    resources: {},
    ...(flags["image-pull-policy"] !== "" && { imagePullPolicy: flags["image-pull-policy"] }),
    ...(flags.privileged && { securityContext: { privileged: true } }),
    ...(flags.stdin && { stdin: true, stdinOnce: true }),
    ...(flags.tty && { tty: true }),
  };
  return objectOf(
    "v1",
    "Pod",
    { name, labels, ...(flags.annotations.length > 0 && { annotations }) },
    {
      spec: { containers: [container], restartPolicy: flags.restart, dnsPolicy: "ClusterFirst" },
      status: {},
    },
  );
}

function overridden(pod: KubeObject, overrides: string, type: string): KubeObject {
  if (overrides === "") return pod;
  if (type !== "merge") throw new Refusal(`--override-type=${type} is not supported: use merge`);
  const [patch = null] = parseDocuments(overrides);
  return applyMergePatch(pod, patch) as KubeObject;
}
