import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { type Facts, within } from "./facts.ts";

/** As long as a container may take to end after its probe has failed. */
const MOST_SILENT_S = 40;

/** Why containers of a pod do not run, or are not ready. */
export async function whyContainers(facts: Facts, pod: KubeObject): Promise<readonly Cause[]> {
  const causes: Cause[] = [];
  const inits = listAt(pod, "status", "initContainerStatuses");
  const isSidecar = (name: string): boolean =>
    listAt(pod, "spec", "initContainers").some(
      (one) => textAt(one, "name") === name && textAt(one, "restartPolicy") === "Always",
    );
  for (const status of inits) {
    const name = textAt(status, "name");
    if (!isSidecar(name) && valueAt(status, "state", "terminated", "exitCode") === 0) continue;
    if (!isSidecar(name) && valueAt(status, "state", "running") !== undefined) {
      const help = [`kubectl logs ${pod.metadata.name}${within(pod)} -c ${name}`];
      return [...causes, { says: `init container ${name} runs, and what comes after it waits for its end`, help }];
    }
    const found = await whyContainer(facts, pod, status, isSidecar(name) ? "sidecar" : "init container");
    if (found === undefined) continue;
    causes.push(found);
    // Nothing after it has begun.
    if (!isSidecar(name)) return causes;
  }
  for (const status of listAt(pod, "status", "containerStatuses")) {
    const found = await whyContainer(facts, pod, status, "container");
    if (found !== undefined) causes.push(found);
  }
  return causes;
}

async function whyContainer(facts: Facts, pod: KubeObject, status: Json, word: string): Promise<Cause | undefined> {
  const who = `${word} ${textAt(status, "name")}`;
  const waiting = textAt(status, "state", "waiting", "reason");
  if (waiting !== "") return await whyWaiting(facts, pod, status, who);
  const exit = valueAt(status, "state", "terminated", "exitCode");
  if (typeof exit === "number") return exit === 0 ? undefined : await whyEnded(facts, pod, status, who, "state");
  if (valueAt(status, "ready") === true) return await whyEndedSoon(facts, pod, status, who);
  const probe = valueAt(status, "started") === true ? "Readiness" : "Startup";
  const told = (await eventsAbout(facts, pod, status)).find((event) =>
    textAt(event, "message").startsWith(`${probe} probe `),
  );
  const says = `${who} runs and is not ready`;
  if (told === undefined) return { says: `${says}: its ${probe.toLowerCase()} probe has not succeeded yet` };
  return { says, causes: [{ says: textAt(told, "message"), help: [probeHelp(pod, status, probe)] }] };
}

/** A container that runs and is ready, and whose liveness probe fails: it is ended for that again and again. */
async function whyEndedSoon(facts: Facts, pod: KubeObject, status: Json, who: string): Promise<Cause | undefined> {
  const since = Date.parse(textAt(status, "state", "running", "startedAt"));
  const spec = listAt(pod, "spec", "containers").find((one) => textAt(one, "name") === textAt(status, "name"));
  const period = Number(valueAt(spec, "livenessProbe", "periodSeconds") ?? 10);
  // One that has failed before that may succeed by now, which nobody tells.
  const from = Math.max(since, Date.now() - Math.max(MOST_SILENT_S, 3 * period) * 1000);
  const told = (await eventsAbout(facts, pod, status)).find(
    (event) =>
      textAt(event, "message").startsWith("Liveness probe ") && Date.parse(textAt(event, "lastTimestamp")) >= from,
  );
  if (told === undefined) return undefined;
  const restarts = Number(valueAt(status, "restartCount"));
  const says = `${who} runs, and is ended and started again for its liveness probe (${restarts} restarts)`;
  return { says, causes: [{ says: textAt(told, "message"), help: [probeHelp(pod, status, "Liveness")] }] };
}

/** What was told of a pod that is not about another of its containers. */
async function eventsAbout(facts: Facts, pod: KubeObject, status: Json): Promise<readonly KubeObject[]> {
  const name = textAt(status, "name");
  return (await facts.events(pod)).filter((event) => {
    const [, about = name] = /\{(.*)\}$/.exec(textAt(event, "involvedObject", "fieldPath")) ?? [];
    return about === name;
  });
}

function probeHelp(pod: KubeObject, status: Json, probe: string): string {
  const spec = listAt(pod, "spec", "containers").find((one) => textAt(one, "name") === textAt(status, "name"));
  const asked = JSON.stringify(valueAt(spec, `${probe.toLowerCase()}Probe`) ?? {});
  return `kubectl logs ${pod.metadata.name}${within(pod)} -c ${textAt(status, "name")}; it is asked by ${asked}`;
}

async function whyWaiting(facts: Facts, pod: KubeObject, status: Json, who: string): Promise<Cause | undefined> {
  const reason = textAt(status, "state", "waiting", "reason");
  const message = textAt(status, "state", "waiting", "message");
  switch (reason) {
    case "ContainerCreating":
    case "PodInitializing":
      return await whyCreating(facts, pod, who);
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "InvalidImageName":
      return { says: `${who} has no image`, causes: [await whyImage(facts, pod, status)] };
    case "ErrImageNeverPull":
      return {
        says: `${who} has no image: ${imageOf(pod, status)} is not here, and its pull policy is Never`,
        help: [`boxship pull ${imageOf(pod, status)}, or build it, or set imagePullPolicy: IfNotPresent`],
      };
    case "CrashLoopBackOff": {
      const ended = await whyEnded(facts, pod, status, who, "lastState");
      return {
        says: `${who} ends again and again (${Number(valueAt(status, "restartCount"))} restarts), and waits before the next time`,
        causes: [ended],
      };
    }
    case "CreateContainerConfigError":
      return { says: `${who} cannot be made: ${message}`, help: configHelp(pod, message) };
    default:
      return { says: `${who} cannot be started (${reason}): ${message}` };
  }
}

/** Before there is a container: its volumes, its place, its image. */
async function whyCreating(facts: Facts, pod: KubeObject, who: string): Promise<Cause | undefined> {
  const events = await facts.events(pod);
  const failed = events.find((event) => ["FailedMount", "FailedCreatePodSandBox"].includes(textAt(event, "reason")));
  if (failed !== undefined) {
    const message = textAt(failed, "message");
    const word = textAt(failed, "reason") === "FailedMount" ? "a volume is missing" : "the pod's place cannot be made";
    return { says: `${who} waits: ${word}`, causes: [{ says: message, help: configHelp(pod, message) }] };
  }
  const pulling = events[0] !== undefined && textAt(events[0], "reason") === "Pulling";
  return { says: pulling ? `${who} waits for its image: ${textAt(events[0], "message")}` : `${who} is being made` };
}

const imageOf = (pod: KubeObject, status: Json): string => {
  const all = [...listAt(pod, "spec", "initContainers"), ...listAt(pod, "spec", "containers")];
  return textAt(all.find((one) => textAt(one, "name") === textAt(status, "name")) ?? {}, "image");
};

/** Who refused the image, and why. */
async function whyImage(facts: Facts, pod: KubeObject, status: Json): Promise<Cause> {
  const image = imageOf(pod, status);
  const failed = (await eventsAbout(facts, pod, status)).find((event) =>
    textAt(event, "message").startsWith("Failed to pull image"),
  );
  const message = textAt(failed ?? {}, "message") || textAt(status, "state", "waiting", "message");
  const [first = ""] = image.split("/", 1);
  // What is written in capitals cannot be a part of a repository's name.
  const registry = image.includes("/") && /[.:A-Z]|^localhost$/.test(first) ? first : "docker.io";
  const secrets = listAt(pod, "spec", "imagePullSecrets").map((one) => textAt(one, "name"));
  const create = (name: string): string =>
    `kubectl create secret docker-registry ${name}${within(pod)} --docker-server=${registry} --docker-username=… --docker-password=…`;
  const causes = await whyNoLogin(facts, pod, secrets, create);
  if (/denied|unauthorized|authentication|credentials|forbidden|401|403/i.test(message)) {
    const named = secrets.length === 0 ? "names no imagePullSecrets" : `has the imagePullSecrets ${secrets.join(", ")}`;
    const says = `registry ${registry} refuses ${image}: the pod ${named}\n${message}`;
    return causes.length > 0 ? { says, causes } : { says, help: [create("NAME")] };
  }
  if (/not found|manifest unknown|no such (image|manifest)|404/i.test(message)) {
    return {
      says: `registry ${registry} has no ${image}\n${message}`,
      causes,
      help: [`check its name and tag: skopeo list-tags docker://${image.replace(/[:@][^/]*$/, "")}`],
    };
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONN|refused|timed? ?out|unreachable|no such host|cannot be reached/i.test(message)) {
    const help = [`boxship pull ${image}, when it is`];
    return { says: `registry ${registry} cannot be reached\n${message}`, causes, help };
  }
  return { says: message || `${image} could not be pulled from ${registry}`, causes };
}

/** Pull secrets that a pod names and that nobody has made. */
async function whyNoLogin(
  facts: Facts,
  pod: KubeObject,
  secrets: readonly string[],
  create: (name: string) => string,
): Promise<readonly Cause[]> {
  const { namespace = "" } = pod.metadata;
  const found = await Promise.all(secrets.map((name) => facts.find("", "secrets", namespace, name)));
  return secrets
    .filter((_, at) => found[at] === undefined)
    .map((name) => ({ says: `its imagePullSecret ${name} is not there`, help: [create(name)] }));
}

function configHelp(pod: KubeObject, message: string): readonly string[] {
  const [, kind, name] = /(configmap|secret|persistentvolumeclaim) "([^"]+)"/i.exec(message) ?? [];
  const missing = /not found/.test(message);
  if (missing && kind?.toLowerCase() === "configmap")
    return [`kubectl create configmap ${name}${within(pod)} --from-literal=KEY=VALUE`];
  if (missing && kind?.toLowerCase() === "secret")
    return [`kubectl create secret generic ${name}${within(pod)} --from-literal=KEY=VALUE`];
  if (kind?.toLowerCase() === "persistentvolumeclaim") return [`boxship why pvc/${name}${within(pod)}`];
  if (/non-root|runAsNonRoot/.test(message))
    return ["set securityContext.runAsUser to a number that is not 0, or take an image with another user"];
  return [];
}

const EXITS: Readonly<Record<number, string>> = {
  1: "",
  126: "its command cannot be executed",
  127: "its command was not found",
  134: "it aborted (SIGABRT)",
  137: "it was killed (SIGKILL)",
  139: "it made an invalid memory access (SIGSEGV)",
  143: "it was told to end (SIGTERM)",
};

/** How a container ended last, what it wrote, and which probe ended it. */
async function whyEnded(facts: Facts, pod: KubeObject, status: Json, who: string, state: string): Promise<Cause> {
  const ended = valueAt(status, state, "terminated") ?? {};
  const code = Number(valueAt(ended, "exitCode"));
  const name = textAt(status, "name");
  const flags = `${pod.metadata.name}${within(pod)} -c ${name}${state === "lastState" ? " --previous" : ""}`;
  const causes: Cause[] = [];
  const killed = (await facts.events(pod)).find((event) =>
    new RegExp(`^Container ${name} failed (liveness|startup) probe`).test(textAt(event, "message")),
  );
  if (killed !== undefined) {
    const kind = /failed (\w+) probe/.exec(textAt(killed, "message"))?.[1] ?? "";
    const words = `${kind[0]?.toUpperCase()}${kind.slice(1)} probe failed`;
    const output = (await eventsAbout(facts, pod, status)).find((event) => textAt(event, "message").startsWith(words));
    causes.push({ says: `its ${kind} probe failed, and it was ended: ${textAt(output ?? {}, "message")}` });
  }
  if (textAt(ended, "reason") === "OOMKilled") {
    const spec = listAt(pod, "spec", "containers").find((one) => textAt(one, "name") === name);
    const limit = textAt(spec ?? {}, "resources", "limits", "memory");
    causes.push({
      says: `it used more memory than its limit of ${limit || "the pod"}`,
      help: ["raise resources.limits.memory"],
    });
  }
  const message = textAt(ended, "message");
  if (message !== "") causes.push({ says: `it said: ${message}` });
  const log = await facts.log(pod, name, state === "lastState");
  if (log !== "") causes.push({ says: `it wrote last:\n${log}` });
  const meaning = EXITS[code] ?? "";
  const says = `${who} ended with exit code ${code}${meaning === "" ? "" : `: ${meaning}`}`;
  return { says, causes, help: [`kubectl logs ${flags}`] };
}
