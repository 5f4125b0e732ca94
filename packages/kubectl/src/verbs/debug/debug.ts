import { readFile } from "node:fs/promises";
import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { FlagError } from "@boxship/base/parse-flags";
import { type Command, defineCommand, type Invocation } from "../../command.ts";
import { statusAt } from "../../error-text.ts";
import { Refusal } from "../../failure.ts";
import { bool, type Flag, slice, splitCsv, str } from "../../flags.ts";
import { createObject, deleteObject, getObject, type ObjectPlace, patchObject } from "../../request/objects.ts";
import { showLogs } from "../../request/pod-log.ts";
import { isImageName } from "../../resource/image-name.ts";
import { readManifests } from "../../resource/manifests.ts";
import { resolveTargets } from "../../resource/targets.ts";
import { parseDocuments } from "../../resource/yaml-documents.ts";
import type { Session } from "../../session.ts";
import { attachTo } from "../attach.ts";
import { waitForPod } from "../wait-pod.ts";
import { type Asked, copyOf, givesInVain, type Made, onNode, withEphemeral } from "./pods.ts";
import { checkProfile } from "./profiles.ts";

/** `a=b`, or several with commas between them. */
function pairs(): Flag<ReadonlyMap<string, string>> {
  return {
    initial: new Map(),
    parse(text, before) {
      const parts = text.split("=").length === 2 ? [text] : splitCsv(text);
      const found = parts.map((part): [string, string] => {
        const at = part.indexOf("=");
        if (at < 0) throw new FlagError(`${part} must be formatted as key=value`);
        return [part.slice(0, at), part.slice(at + 1)];
      });
      return new Map([...before, ...found]);
    },
  };
}

const flags = {
  "arguments-only": bool(),
  attach: bool(),
  container: str("", { short: "c" }),
  "copy-to": str(),
  custom: str(),
  env: pairs(),
  filename: slice({ short: "f" }),
  image: str(),
  "image-pull-policy": str(),
  "keep-annotations": bool(),
  "keep-init-containers": bool(true),
  "keep-labels": bool(),
  "keep-liveness": bool(),
  "keep-readiness": bool(),
  "keep-startup": bool(),
  profile: str("general"),
  quiet: bool(false, { short: "q" }),
  replace: bool(),
  "same-node": bool(),
  "set-image": pairs(),
  "share-processes": bool(true),
  stdin: bool(false, { short: "i" }),
  target: str(),
  tty: bool(false, { short: "t" }),
};

type Flags = Invocation<typeof flags>["flags"];

export const command: Command = defineCommand({
  usage: "(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
  summary: "Create debugging sessions for troubleshooting workloads and nodes",
  flags,
  async run(session, { flags: given, operands, changed, dash }) {
    const names = dash === undefined ? operands : operands.slice(0, dash);
    const words = dash === undefined ? [] : operands.slice(dash);
    checkProfile(given.profile);
    const custom = await customOf(given.custom);
    check(session, given, { names, words, attachAsked: changed.has("attach"), custom });
    const asked = askedOf(session, given, words, custom, changed.has("share-processes"));
    for (const place of await placesOf(session, given, names)) {
      const { place: pod, container } = await debug(session, place, asked, given.replace);
      if (container === "" || !(changed.has("attach") ? given.attach : given.stdin)) continue;
      await attachWhenStarted(session, pod, container, given);
    }
  },
});

async function customOf(path: string): Promise<JsonObject | undefined> {
  if (path === "") return undefined;
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Refusal(`must pass a container spec json file for custom profile: ${errorMessage(error)}`);
  });
  const [value] = parseDocuments(text);
  if (!isObject(value)) throw new Refusal(`${path} does not contain a valid container spec`);
  return value;
}

interface Given {
  readonly names: readonly string[];
  readonly words: readonly string[];
  readonly attachAsked: boolean;
  readonly custom: JsonObject | undefined;
}

/** @throws Refusal for flags that do not go together */
function check(session: Session, given: Flags, { names, words, attachAsked, custom }: Given): void {
  const { image, container, "copy-to": copyTo, "set-image": images, target, quiet } = given;
  const refuse = (wrong: boolean, message: string): void => {
    if (wrong) throw new Refusal(message);
  };
  refuse(
    given.attach && attachAsked && image === "" && container === "",
    "you must specify --container or create a new container using --image in order to attach.",
  );
  if (copyTo !== "") {
    refuse(
      image === "" && images.size === 0 && words.length === 0,
      "you must specify --image, --set-image or command arguments.",
    );
    refuse(
      words.length > 0 && container === "" && image === "",
      "you must specify an existing container or a new image when specifying args.",
    );
  } else {
    for (const [wrong, name] of [
      [given.replace, "--replace"],
      [given["same-node"], "--same-node"],
      [images.size > 0, "--set-image"],
    ] as const) {
      refuse(wrong, `${name} may only be used with --copy-to.`);
    }
    refuse(image === "", "you must specify --image when not using --copy-to.");
  }
  const malformed = "invalid reference format";
  refuse(image !== "" && !isImageName(image), `invalid image name ${JSON.stringify(image)}: ${malformed}`);
  refuse(names.length === 0 && given.filename.length === 0, "NAME or filename is required for debug");
  const policy = given["image-pull-policy"];
  refuse(!["", "Always", "IfNotPresent", "Never"].includes(policy), `invalid image pull policy: ${policy}`);
  for (const [name, one] of images) {
    refuse(
      !isImageName(one),
      `invalid image name ${JSON.stringify(one)} for container ${JSON.stringify(name)}: ${malformed}`,
    );
  }
  refuse(target !== "" && copyTo !== "", "--target is incompatible with --copy-to. Use --share-processes instead.");
  if (target !== "" && !quiet) {
    session.print(
      `Targeting container ${JSON.stringify(target)}. If you don't see processes from this container it may be because the container runtime doesn't support this feature.`,
    );
  }
  refuse(given.tty && !given.stdin, "-i/--stdin is required for containers with -t/--tty=true");
  refuse(
    ["name", "command", "image", "lifecycle", "volumeDevices"].some((field) => custom?.[field] !== undefined),
    "name, command, image, lifecycle and volume devices are not modifiable via custom profile",
  );
  if (given.profile === "legacy") {
    session.warn(
      '--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other profile, for example "--profile=general".',
    );
  }
}

function askedOf(
  session: Session,
  given: Flags,
  words: readonly string[],
  custom: JsonObject | undefined,
  shareAsked: boolean,
): Asked {
  return {
    profile: given.profile,
    custom,
    kept: {
      labels: given["keep-labels"],
      annotations: given["keep-annotations"],
      liveness: given["keep-liveness"],
      readiness: given["keep-readiness"],
      startup: given["keep-startup"],
      initContainers: given["keep-init-containers"],
    },
    container: given.container,
    image: given.image,
    pullPolicy: given["image-pull-policy"],
    words,
    wordsAreArguments: given["arguments-only"],
    env: [...given.env].map(([name, value]) => ({ name, value })),
    stdin: given.stdin,
    tty: given.tty,
    target: given.target,
    copyTo: given["copy-to"],
    images: given["set-image"],
    sameNode: given["same-node"],
    shareProcesses: shareAsked ? given["share-processes"] : undefined,
    tell: (line) => (given.quiet ? undefined : session.print(line)),
  };
}

async function placesOf(session: Session, given: Flags, names: readonly string[]): Promise<readonly ObjectPlace[]> {
  const mapping = (await session.mapper()).known("", "pods");
  const namespace = await session.namespace();
  const named = names.map(async (name) =>
    name.includes("/") ? await resolveTargets(session, [name]) : [{ mapping, namespace, name }],
  );
  const files = { filename: given.filename, kustomize: "", recursive: false };
  return [...(await readManifests(session, files)), ...(await Promise.all(named)).flat()];
}

interface Started {
  readonly place: ObjectPlace;
  readonly container: string;
}

async function debug(session: Session, place: ObjectPlace, asked: Asked, replace: boolean): Promise<Started> {
  const object = await getObject(session, place);
  const { kind, group, version } = place.mapping;
  const pods = (await session.mapper()).known("", "pods");
  if (kind === "Node" && group === "") {
    const made = onNode(object, asked);
    return await create(session, { mapping: pods, namespace: await session.namespace() }, made);
  }
  if (kind !== "Pod" || group !== "") {
    const full = `${group === "" ? "" : group}/${version}, Kind=${kind}`;
    throw new Refusal(`${JSON.stringify(full)} not supported by debug`);
  }
  if (asked.copyTo === "") return await addEphemeral(session, place, object, asked);
  const made = copyOf(object, asked);
  warnOf(session, made);
  const started = await create(session, place, made);
  if (replace) await deleteObject(session, place, { gracePeriodSeconds: 0 });
  return started;
}

async function create(
  session: Session,
  { mapping, namespace }: Pick<ObjectPlace, "mapping" | "namespace">,
  { pod, container }: Made,
): Promise<Started> {
  const { name = "" } = (await createObject(session, { mapping, namespace }, pod)).metadata;
  return { place: { mapping, namespace, name }, container };
}

async function addEphemeral(session: Session, place: ObjectPlace, pod: KubeObject, asked: Asked): Promise<Started> {
  const made = withEphemeral(pod, asked);
  warnOf(session, made);
  const all = listAt(made.pod, "spec", "ephemeralContainers") as readonly JsonObject[];
  const order: Json[] = all.map((one) => ({ name: textAt(one, "name") }));
  const patch = { spec: { "$setElementOrder/ephemeralContainers": order, ephemeralContainers: [all.at(-1) ?? {}] } };
  try {
    await patchObject(session, place, "strategic", patch, { subresource: "ephemeralcontainers" });
  } catch (error) {
    const status = statusAt(error);
    if (status?.reason !== "NotFound" || textAt(status.details?.name) !== "") throw error;
    throw new Refusal(
      `ephemeral containers are disabled for this cluster (error from server: ${JSON.stringify(errorMessage(error))})`,
    );
  }
  return { place, container: made.container };
}

function warnOf(session: Session, { pod, container }: Made): void {
  if (!givesInVain(pod, container)) return;
  session.warn(
    'Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not work. Please consider using "--custom" with a custom profile that specifies "securityContext.runAsUser: 0".',
  );
}

function statusOf(pod: KubeObject, container: string): Json | undefined {
  return ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"]
    .flatMap((field) => listAt(pod, "status", field))
    .find((one) => textAt(one, "name") === container);
}

/** Attaches to a container once it runs; of one that has ended already, what it printed is shown. */
async function attachWhenStarted(session: Session, place: ObjectPlace, container: string, given: Flags): Promise<void> {
  const has = (pod: KubeObject, state: string): boolean =>
    valueAt(statusOf(pod, container), "state", state) !== undefined;
  const pod = await waitForPod(session, place, (one) => {
    if (has(one, "running") || has(one, "terminated")) return true;
    const message = textAt(statusOf(one, container), "state", "waiting", "message");
    if (message !== "" && !given.quiet) session.warn(`Warning: container ${container}: ${message}`);
    return false;
  });
  if (has(pod, "terminated")) return await showLogs(session, pod, container);
  try {
    await attachTo(session, pod, container, given);
  } catch (error) {
    session.warn(
      `warning: couldn't attach to pod/${place.name}, falling back to streaming logs: ${errorMessage(error)}`,
    );
    await showLogs(session, pod, container);
  }
}
