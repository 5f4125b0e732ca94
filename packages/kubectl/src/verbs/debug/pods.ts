import { randomInt } from "node:crypto";
import {
  applyStrategicMergePatch,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import { Refusal } from "../../failure.ts";
import { patchSchema } from "../../patch/schema-of.ts";
import { changed, type Kept, type Style, withProfile } from "./profiles.ts";

/** What the command line asks of a container that debugs. */
export interface Asked {
  readonly profile: string;
  /** Laid over the container. @default nothing */
  readonly custom: JsonObject | undefined;
  readonly kept: Kept;
  /** Empty: one is made up. */
  readonly container: string;
  readonly image: string;
  readonly pullPolicy: string;
  readonly words: readonly string[];
  readonly wordsAreArguments: boolean;
  readonly env: readonly JsonObject[];
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly target: string;
  readonly copyTo: string;
  readonly images: ReadonlyMap<string, string>;
  readonly sameNode: boolean;
  /** Undefined where nothing was said. */
  readonly shareProcesses: boolean | undefined;
  /** Told what was made up. */
  readonly tell: (line: string) => void;
}

export interface Made {
  readonly pod: KubeObject;
  /** The container that debugs; empty where none was added. */
  readonly container: string;
}

const LETTERS = "bcdfghjklmnpqrstvwxz2456789";
const suffix = (): string => Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)] ?? "").join("");

const specOf = (pod: KubeObject): JsonObject => (isObject(pod["spec"]) ? pod["spec"] : {});
const wordsOf = ({ words, wordsAreArguments }: Asked): JsonObject =>
  words.length === 0 ? {} : { [wordsAreArguments ? "args" : "command"]: [...words] };

function containerOf(asked: Asked, name: string): JsonObject {
  const { image, pullPolicy, env, stdin, tty } = asked;
  return {
    name,
    image,
    ...wordsOf(asked),
    ...(env.length > 0 && { env: [...env] }),
    ...(pullPolicy !== "" && { imagePullPolicy: pullPolicy }),
    ...(stdin && { stdin }),
    terminationMessagePolicy: "File",
    ...(tty && { tty }),
  };
}

/** The pod with one more ephemeral container. */
export function withEphemeral(pod: KubeObject, asked: Asked): Made {
  const container = nameOf(pod, asked);
  const { target } = asked;
  const added = { ...containerOf(asked, container), ...(target !== "" && { targetContainerName: target }) };
  const spec = specOf(pod);
  const ephemeralContainers = [...listAt(spec, "ephemeralContainers"), added];
  return finished({ ...pod, spec: { ...spec, ephemeralContainers } }, container, asked, "ephemeral");
}

/** A pod of its own on a node, with what the node has. */
export function onNode(node: KubeObject, asked: Asked): Made {
  const container = asked.container || "debugger";
  const { name: nodeName = "" } = node.metadata;
  const name = `node-debugger-${nodeName}-${suffix()}`;
  asked.tell(`Creating debugging pod ${name} with container ${container} on node ${nodeName}.`);
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { "app.kubernetes.io/managed-by": "kubectl-debug" } },
    spec: {
      containers: [containerOf(asked, container)],
      nodeName,
      restartPolicy: "Never",
      tolerations: [{ operator: "Exists" }],
    },
  };
  return finished(pod, container, asked, "node");
}

/** A copy of the pod with other images, another command, or one more container. */
export function copyOf(pod: KubeObject, asked: Asked): Made {
  const { labels, annotations, namespace = "" } = pod.metadata;
  const { ephemeralContainers: _, nodeName, ...rest } = specOf(pod);
  const { images, sameNode, shareProcesses } = asked;
  const spec: JsonObject = {
    ...rest,
    ...(sameNode && nodeName !== undefined && { nodeName }),
    ...(shareProcesses !== undefined && { shareProcessNamespace: shareProcesses }),
    containers: listAt(rest, "containers").map((one) => {
      const image = images.get(textAt(one, "name")) ?? images.get("*");
      return isObject(one) && image !== undefined ? { ...one, image } : one;
    }),
  };
  const metadata = {
    name: asked.copyTo,
    namespace,
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
  };
  const copy: KubeObject = { apiVersion: "v1", kind: "Pod", metadata, spec };
  if (namesIn(copy).includes(asked.container)) {
    const own = changed(spec, asked.container, (one) => overlaid(one, asked));
    return finished({ ...copy, spec: own }, asked.container, asked, "copy");
  }
  if (asked.image === "") {
    if (images.size > 0) return { pod: copy, container: "" };
    throw new Refusal("you must specify image when creating new container");
  }
  const container = nameOf(copy, asked);
  const containers = [...listAt(spec, "containers"), containerOf(asked, container)];
  return finished({ ...copy, spec: { ...spec, containers } }, container, asked, "copy");
}

/** A container that there was, with what the command line says. */
function overlaid(before: JsonObject, asked: Asked): JsonObject {
  const { stdin: _stdin, tty: _tty, ...container } = before;
  const { image, pullPolicy, env, stdin, tty, words, wordsAreArguments } = asked;
  const { args, ...rest } = container;
  const keepsArguments = words.length === 0 && args !== undefined;
  return {
    ...rest,
    ...(keepsArguments && { args }),
    ...(words.length > 0 && { [wordsAreArguments ? "args" : "command"]: [...words] }),
    ...(env.length > 0 && { env: [...env] }),
    ...(image !== "" && { image }),
    ...(pullPolicy !== "" && { imagePullPolicy: pullPolicy }),
    ...(stdin && { stdin }),
    ...(tty && { tty }),
  };
}

function finished(pod: KubeObject, container: string, asked: Asked, style: Style): Made {
  const { profile, kept, custom } = asked;
  const made = withProfile(pod, container, { profile, style, kept });
  if (custom === undefined) return { pod: made, container };
  const schema = patchSchema({ group: "", version: "v1", kind: "Pod" });
  if (schema === undefined) throw new Refusal("pods are not known here");
  const field = style === "ephemeral" ? "ephemeralContainers" : "containers";
  const patch = { spec: { [field]: [{ ...custom, name: container }] } };
  return { pod: applyStrategicMergePatch(schema, made, patch) as KubeObject, container };
}

function namesIn(pod: KubeObject): readonly string[] {
  return ["containers", "initContainers", "ephemeralContainers"].flatMap((field) =>
    listAt(pod, "spec", field).map((one) => textAt(one, "name")),
  );
}

function nameOf(pod: KubeObject, { container, tell }: Asked): string {
  if (container !== "") return container;
  const taken = namesIn(pod);
  let name = "";
  while (name === "" || taken.includes(name)) name = `debugger-${suffix()}`;
  tell(`Defaulting debug container name to ${name}.`);
  return name;
}

/** Whether a profile gives what a user other than root cannot use. */
export function givesInVain(pod: KubeObject, name: string): boolean {
  const user = valueAt(pod, "spec", "securityContext", "runAsUser") ?? 0;
  const container = ["containers", "ephemeralContainers"]
    .flatMap((field) => listAt(pod, "spec", field))
    .find((one) => textAt(one, "name") === name);
  const context = valueAt(container, "securityContext");
  if (user === 0 || context === undefined || valueAt(context, "runAsUser") === 0) return false;
  return valueAt(context, "privileged") === true || listAt(context, "capabilities", "add").length > 0;
}
