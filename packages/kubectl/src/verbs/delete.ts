import { isObject, type KubeObject, textAt } from "@boxship/api";
import { defineCommand, type Invocation } from "../command.ts";
import { forEach, PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import { dryRunFlag, fileFlags, selectorFlag } from "../global-flags.ts";
import { type DryRun, dryRunSuffix, parseDryRun } from "../print/result.ts";
import { deleteObject, isNotFound, listObjects, type ObjectPlace } from "../request/objects.ts";
import { sourced } from "../request/with-source.ts";
import { readWhatCan } from "../resource/manifests.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { confirmed } from "./confirm.ts";
import { type Gone, waitUntilGone } from "./wait-gone.ts";

const flags = {
  ...fileFlags,
  ...dryRunFlag,
  ...selectorFlag,
  all: bool(),
  "all-namespaces": bool(false, { short: "A" }),
  cascade: str("background", { bare: "background" }),
  "field-selector": str(),
  force: bool(),
  "grace-period": int(-1),
  "ignore-not-found": bool(),
  interactive: bool(false, { short: "i" }),
  now: bool(),
  output: str("", { short: "o" }),
  raw: str(),
  timeout: duration(),
  wait: bool(true),
};

interface Named extends ObjectPlace {
  /** The file that named it. */
  readonly source?: string;
}

type Flags = Invocation<typeof flags>["flags"];

export const command = defineCommand({
  usage: "([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])",
  summary: "Delete resources by file names, stdin, resources and names, or by resources and label selector",
  flags,
  async run(session, { flags: given, operands }) {
    const dryRun = parseDryRun(given["dry-run"]);
    const grace = checked(session, given);
    const errors: unknown[] = [];
    const places = await placesOf(session, given, operands, errors);
    if (places.length === 0 && errors.length === 0) {
      if (!given["ignore-not-found"]) session.print("No resources found");
      return;
    }
    if (given.interactive && dryRun === "none" && !(await confirmed(session, places))) return;
    const gone: Gone[] = [];
    await forEach(
      places,
      async (place) => {
        try {
          gone.push({ ...place, uid: await deleteOne(session, place, given, grace, dryRun) });
        } catch (error) {
          if (given["ignore-not-found"] && isNotFound(error)) return;
          throw place.source === undefined ? error : sourced("deleting", place.source, error);
        }
      },
      errors,
    );
    if (given.wait && dryRun === "none") await waitUntilGone(session, gone, given.timeout);
  },
});

/** What contradicts itself is refused. @returns seconds, undefined for each object's own */
function checked(session: Session, given: Flags): number | undefined {
  if (given.raw !== "") throw new Refusal("--raw is not supported");
  if (!["", "name"].includes(given.output))
    throw new PlainRefusal(`error: unexpected -o output mode: ${given.output}. We only support '-o name'`);
  if (given.all && (given.selector !== "" || given["field-selector"] !== "")) {
    throw new Refusal("setting 'all' parameter but found a non empty selector. ");
  }
  let grace = given["grace-period"];
  // To force the deletion of pods is another thing than to make it short.
  if (grace === 0 && !given.force) grace = 1;
  if (given.now) {
    if (grace !== -1) throw new Refusal("--now and --grace-period cannot be specified together");
    grace = 1;
  }
  if (given.force && grace > 0)
    throw new Refusal("--force and --grace-period greater than 0 cannot be specified together");
  if (given.force) {
    session.warn(
      "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.",
    );
    grace = 0;
  }
  return grace < 0 ? undefined : grace;
}

async function placesOf(
  session: Session,
  given: Flags,
  operands: readonly string[],
  errors: unknown[],
): Promise<readonly Named[]> {
  if (given.filename.length > 0 || given.kustomize !== "") return await readWhatCan(session, given, errors);
  const selected = given.all || given.selector !== "" || given["field-selector"] !== "";
  const allNamespaces = given["all-namespaces"];
  const targets = await resolveTargets(session, operands, { allNamespaces, selected, all: false });
  const places: Named[] = [];
  for (const target of targets) {
    if (target.name !== "") {
      places.push(target);
      continue;
    }
    const query = { labelSelector: given.selector, fieldSelector: given["field-selector"] };
    for (const object of await listObjects(session, target.mapping, target.namespace, query)) {
      const { name = "", namespace = "" } = object.metadata;
      places.push({ mapping: target.mapping, namespace, name });
    }
  }
  return places;
}

const CASCADES: Readonly<Record<string, string>> = {
  background: "Background",
  true: "Background",
  orphan: "Orphan",
  false: "Orphan",
  foreground: "Foreground",
};

/** @returns the uid of what goes; empty where it is gone already */
async function deleteOne(
  session: Session,
  place: ObjectPlace,
  given: Flags,
  grace: number | undefined,
  dryRun: DryRun,
): Promise<string> {
  const propagationPolicy = CASCADES[given.cascade];
  if (propagationPolicy === undefined) {
    throw new Refusal(`invalid cascade value (${given.cascade}). Must be "background", "foreground", or "orphan"`);
  }
  let answer: KubeObject | undefined;
  if (dryRun !== "client") {
    const value = await deleteObject(session, place, {
      propagationPolicy,
      dryRun: dryRun === "server",
      ...(grace !== undefined && { gracePeriodSeconds: grace }),
    });
    answer = isObject(value) ? (value as KubeObject) : undefined;
  }
  const { mapping, namespace, name } = place;
  const kind = `${mapping.kind.toLowerCase()}${mapping.group === "" ? "" : `.${mapping.group}`}`;
  if (given.output === "name") session.print(`${kind}/${name}`);
  else {
    const from = namespace === "" ? "" : ` from ${namespace} namespace`;
    session.print(
      `${kind} ${JSON.stringify(name)} ${given.force ? "force deleted" : "deleted"}${from}${dryRunSuffix(dryRun)}`,
    );
  }
  const own =
    textAt(answer, "kind") === "Status" ? textAt(answer, "details", "uid") : textAt(answer, "metadata", "uid");
  return own;
}
