import { applyMergePatch, type Json, type JsonObject, type KubeObject } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal, UsageRefusal } from "../failure.ts";
import { array, bool, duration, str } from "../flags.ts";
import { createGenerated, generatorFlags, objectOf, parseLabels } from "../generate/generator.ts";
import { isImageName } from "../resource/image-name.ts";
import { parseDocuments } from "../resource/yaml-documents.ts";
import { runAttached } from "./run-attached.ts";

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
    restart: str(),
    rm: bool(),
    stdin: bool(false, { short: "i" }),
    tty: bool(false, { short: "t" }),
  },
  required: ["image"],
  async run(session, { flags, operands, changed, dash, path }) {
    const [name, ...words] = operands;
    const usage = (message: string): UsageRefusal => new UsageRefusal(message, path);
    if (name === undefined || dash === 0) throw usage("NAME is required for run");
    if (flags.image.trim() === "") throw new PlainRefusal(`error: --image is required`);
    if (!isImageName(flags.image))
      throw new Refusal(`Invalid image name ${JSON.stringify(flags.image)}: invalid reference format`);
    if (flags.tty && !flags.stdin) throw usage("-i/--stdin is required for containers with -t/--tty=true");
    if (flags.expose && flags.port === "") throw usage("--port must be set when exposing a service");
    const restart = flags.restart || (flags.stdin ? "OnFailure" : "Always");
    if (!["Always", "OnFailure", "Never"].includes(restart)) throw usage(`invalid restart policy: ${flags.restart}`);
    const attached = changed.has("attach") ? flags.attach : flags.stdin;
    if (!attached && flags.rm) throw usage("--rm should only be used for attached containers");
    if (attached && flags["dry-run"] !== "none") {
      throw usage(
        "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
      );
    }
    if (!["", "Always", "IfNotPresent", "Never"].includes(flags["image-pull-policy"]))
      throw usage(`invalid image pull policy: ${flags["image-pull-policy"]}`);
    const labels = flags.labels === "" ? { run: name } : parseLabels(flags.labels);
    const pod = overridden(
      podOf(name, labels, words, { ...flags, restart }),
      changed.has("overrides") ? flags.overrides : "",
      flags["override-type"],
    );
    if (flags.expose) await createGenerated(session, serviceOf(name, Number(flags.port), labels), flags);
    if (!attached) {
      await createGenerated(session, pod, flags);
      return;
    }
    await runAttached(session, pod, { ...flags, restart });
  },
});

function serviceOf(name: string, port: number, selector: JsonObject): KubeObject {
  const ports = [{ protocol: "TCP", port, targetPort: port }];
  const rest = { spec: { ports, selector }, status: { loadBalancer: {} } };
  return objectOf("v1", "Service", { name }, rest);
}

interface PodFlags {
  readonly annotations: readonly string[];
  readonly command: boolean;
  readonly env: readonly string[];
  readonly image: string;
  readonly "leave-stdin-open": boolean;
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
    ...(flags.stdin && { stdin: true, ...(!flags["leave-stdin-open"] && { stdinOnce: true }) }),
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
