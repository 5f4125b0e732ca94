import { type KubeObject, listAt, textAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { forEach, PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import { selectorFlag } from "../global-flags.ts";
import { findObject, listObjects } from "../request/objects.ts";
import { openPodLog } from "../request/pod-log.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { containerOf, podOf, podsBehind } from "./pods-of.ts";

export const command = defineCommand({
  usage: "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
  summary: "Print the logs for a container in a pod",
  flags: {
    ...selectorFlag,
    "all-containers": bool(),
    "all-pods": bool(),
    container: str("", { short: "c" }),
    follow: bool(false, { short: "f" }),
    "ignore-errors": bool(),
    "insecure-skip-tls-verify-backend": bool(),
    "limit-bytes": int(),
    "max-log-requests": int(5),
    "pod-running-timeout": duration(20_000),
    prefix: bool(),
    previous: bool(false, { short: "p" }),
    since: duration(),
    "since-time": str(),
    tail: int(-1),
    timestamps: bool(),
  },
  async run(session, { flags, operands, changed, path }) {
    const [word, container] = operands;
    if (word === undefined && flags.selector === "") {
      throw new PlainRefusal(
        `error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee '${path} -h' for help and examples`,
      );
    }
    if (flags["since-time"] !== "" && flags.since !== 0)
      throw new Refusal("at most one of `sinceTime` or `sinceSeconds` may be specified");
    const pods = await podsOf(session, word, flags.selector, flags["all-pods"]);
    const sources = pods.flatMap((pod) =>
      containersOf(session, pod, container ?? flags.container, flags["all-containers"]).map((name) => ({ pod, name })),
    );
    if (flags.follow && sources.length > flags["max-log-requests"]) {
      throw new Refusal(
        `you are attempting to follow ${sources.length} log streams, but maximum allowed concurrency is ${flags["max-log-requests"]}, use --max-log-requests to increase the limit`,
      );
    }
    const tail = flags.tail >= 0 ? flags.tail : flags.selector !== "" && !changed.has("tail") ? 10 : undefined;
    const show = async ({ pod, name }: (typeof sources)[number]): Promise<void> => {
      const { name: podName = "" } = pod.metadata;
      const query = {
        container: name,
        follow: flags.follow,
        previous: flags.previous,
        timestamps: flags.timestamps,
        tailLines: tail,
        limitBytes: flags["limit-bytes"] || undefined,
        sinceSeconds: flags.since > 0 ? Math.ceil(flags.since / 1000) : undefined,
        sinceTime: flags["since-time"],
        insecureSkipTLSVerifyBackend: flags["insecure-skip-tls-verify-backend"],
      };
      const prefix = flags.prefix || flags["all-pods"] ? `[pod/${podName}/${name}] ` : "";
      let fresh = true;
      for await (const chunk of await openPodLog(session, pod.metadata, query)) {
        session.io.stdout.write(
          prefix === ""
            ? chunk
            : chunk.replace(/[^\n]*\n?/g, (line) => {
                if (line === "") return "";
                const shown = fresh ? `${prefix}${line}` : line;
                fresh = line.endsWith("\n");
                return shown;
              }),
        );
      }
    };
    if (flags.follow) await Promise.all(sources.map(show));
    else await forEach(sources, show);
  },
});

async function podsOf(
  session: Session,
  word: string | undefined,
  selector: string,
  all: boolean,
): Promise<readonly KubeObject[]> {
  const pods = (await session.mapper()).known("", "pods");
  const namespace = await session.namespace();
  if (word === undefined) {
    const found = await listObjects(session, pods, namespace, { labelSelector: selector });
    if (found.length === 0) session.warn(`No resources found in ${namespace} namespace.`);
    return found;
  }
  if (!word.includes("/")) {
    const found = await findObject(session, { mapping: pods, namespace, name: word });
    if (found !== undefined) return [found];
    throw new Refusal(
      `error from server (NotFound): pods ${JSON.stringify(word)} not found in namespace ${JSON.stringify(namespace)}`,
    );
  }
  const [target] = await resolveTargets(session, [word]);
  if (target === undefined) return [];
  return all ? await podsBehind(session, target) : [await podOf(session, target, true)];
}

function containersOf(session: Session, pod: KubeObject, name: string, all: boolean): readonly string[] {
  const names = ["initContainers", "containers", "ephemeralContainers"].flatMap((field) =>
    listAt(pod, "spec", field).map((one) => textAt(one, "name")),
  );
  if (all) return names;
  return [
    textAt(
      containerOf(pod, name, (line) => session.warn(line)),
      "name",
    ),
  ];
}
